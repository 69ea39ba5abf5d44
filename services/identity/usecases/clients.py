"""Making clients, changing their credentials, suspending them."""

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, not_found, state_conflict
from libs.rpc.call import current_call
from services.identity.bootstrap import CLIENT_ID
from services.identity.client_secrets import ClientSecrets
from services.identity.convert.clients import actor_kinds, client_message, client_of
from services.identity.domain import clients as domain
from services.identity.domain.approval import approved_by, asked_by, holds
from services.identity.domain.scopes import check_covered
from services.identity.store import clients as store
from services.identity.store.reading import Page, one
from services.identity.tables import clients, departments, organizations
from services.identity.tokens.jwk import checked_keys
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

Keys = list[dict[str, str]]


class Clients:
    """Use cases of ClientService. Credentials live by the machine's clock (``wall``), as tokens do."""

    def __init__(
        self,
        uow: UnitOfWork,
        database: Database,
        wall: Clock,
        client_secrets: ClientSecrets,
        tokens: TokenWithdrawals,
    ) -> None:
        self._tokens = tokens
        self._uow = uow
        self._database = database
        self._wall = wall
        self._secrets = client_secrets

    async def create(self, command: Command, client: resources.Client, client_id: str) -> resources.Client:
        """Makes a client; its secret, if it has one, stands in the first answer only."""
        current_call().actor.require_impartial(client.owner)
        values = _checked(client) | {"id": client_id or f"c-{secrets.token_hex(8)}"}
        check_covered(current_call().actor.scopes, client.scopes)
        secret = self._secrets.make() if values["auth_method"] == domain.AuthMethod.CLIENT_SECRET else ""

        async def work(tx: Transaction) -> resources.Client:
            if client.owner:
                owners = organizations if client.owner.startswith("organizations/") else departments
                await one(tx.connection, owners, client.owner)
            row = await rows.insert(
                tx.connection,
                clients,
                values
                | {
                    "secret_mac": self._secrets.mac(secret) if secret else None,
                    **await _beginning(tx.connection, domain.Kind(values["kind"])),
                    "create_time": tx.now,
                    "update_time": tx.now,
                },
            )
            name = f"clients/{row.id}"
            tx.emit(name, events.ClientCreated(client=name, kind=client.kind))
            return client_message(row)

        return await self._answer(command, work, secret)

    async def _answer(self, command: Command, work: Any, secret: str) -> resources.Client:
        """Runs ``work`` and adds the secret to its own answer: the stored answer, and so a repeated one, has none."""
        made: list[resources.Client] = []

        async def remembered(tx: Transaction) -> resources.Client:
            made.append(await work(tx))
            return made[-1]

        answer = await self._uow.run(command, remembered)
        if made and answer is made[-1]:
            answer.secret = secret
        return answer

    async def get(self, name: str) -> resources.Client:
        """Reads a client, without its secret."""
        _check_reach(name, "identity.clients.list")
        async with self._database.read() as connection:
            return client_message(await store.client(connection, name))

    async def list(self, request: pb.ListClientsRequest) -> pb.ListClientsResponse:
        """Lists clients by name."""
        page = Page(request, "")
        kind = resources.ClientKind.Name(request.kind).removeprefix("CLIENT_KIND_") if request.kind else ""
        state = resources.ClientState.Name(request.state).removeprefix("CLIENT_STATE_") if request.state else ""
        async with self._database.read() as connection:
            found = await store.list_clients(connection, kind=kind, state=state, after=page.after[0], limit=page.limit)
        shown = page.cut(found, lambda row: (row.id,))
        return pb.ListClientsResponse(clients=map(client_message, shown), next_page_token=page.next_page_token)

    async def rotate(self, command: Command, request: pb.RotateClientKeyRequest) -> resources.Client:
        """Replaces a client's keys, or makes it a new secret."""
        _check_reach(request.name, "identity.clients.create")
        keys = checked_keys(request.jwks, "jwks") if request.HasField("jwks") else None
        secret = "" if keys else self._secrets.make()

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            current_call().actor.require_impartial(row.owner)
            # Who has the new key has all that the client may: nobody gets there with less, the client itself not either.
            check_covered(current_call().actor.scopes, row.scopes)
            domain.check_active(client_of(row))
            if bool(keys) != (row.auth_method == domain.AuthMethod.PRIVATE_KEY_JWT):
                raise invalid_field("jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
            row = await rows.update(
                tx.connection,
                clients,
                row.id,
                {
                    **self._rotated(row, request, keys, secret),
                    "update_time": tx.now,
                },
            )
            if row.overlap_expire_time is None and row.kind != domain.Kind.CHANNEL:
                await self._tokens.renew(tx, request.name)
            tx.emit(request.name, events.ClientRotated(client=request.name))
            return client_message(row)

        return await self._answer(command, work, secret)

    def _rotated(self, row: Row, request: pb.RotateClientKeyRequest, keys: Keys | None, secret: str) -> dict[str, Any]:
        """What a rotation changes; the new keys of a channel wait for two people."""
        overlap = request.overlap.ToTimedelta()
        if row.kind == domain.Kind.CHANNEL:
            backers = asked_by(current_call().actor.human)
            return {"pending": {"jwks": keys, "overlap": overlap.total_seconds()}, "backers": list(backers)}
        change = {"jwks": keys} if keys else {"secret_mac": self._secrets.mac(secret)}
        return change | self._overlap(row, overlap)

    async def approve(self, command: Command, request: pb.ApproveClientRequest) -> resources.Client:
        """Stands behind a channel, or behind new keys of one; the second human being lets it take effect."""
        principal = current_call().actor

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            principal.require_impartial(row.owner)
            if row.state == domain.State.SUSPENDED or (row.state == domain.State.ACTIVE and row.pending is None):
                raise state_conflict(request.name, row.state, domain.State.REQUESTED)
            backers = approved_by(row.backers, principal.human, actor_kind=principal.kind)
            change = self._approved(row) if holds(backers) else {"backers": list(backers)}
            row = await rows.update(tx.connection, clients, row.id, change | {"update_time": tx.now})
            if change.get("state") == domain.State.ACTIVE:
                await self._tokens.restore(tx, request.name)
            if "jwks" in change and row.overlap_expire_time is None:
                await self._tokens.renew(tx, request.name)
            tx.emit(
                request.name,
                events.ClientApproved(client=request.name, effective=holds(backers)),
            )
            return client_message(row)

        return await self._uow.run(command, work)

    def _approved(self, row: Row) -> dict[str, Any]:
        """What takes effect when two people stand behind it."""
        if row.state == domain.State.REQUESTED:
            return {"state": domain.State.ACTIVE.value, "suspend_reason": "", "backers": []}
        overlap = timedelta(seconds=row.pending["overlap"])
        return {"jwks": row.pending["jwks"], "pending": None, "backers": [], **self._overlap(row, overlap)}

    def _overlap(self, row: Row, overlap: timedelta) -> dict[str, Any]:
        """What stays of the credentials before: nothing, or all until the overlap is over."""
        end = self._wall.now() + overlap if overlap else None
        kept = {"old_jwks": row.jwks, "old_secret_mac": row.secret_mac} if end else {}
        return {"old_jwks": None, "old_secret_mac": None, "overlap_expire_time": end, **kept}

    async def suspend(self, command: Command, request: pb.SuspendClientRequest) -> resources.Client:
        """Gives a client no more tokens."""

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            row = await rows.update(
                tx.connection,
                clients,
                row.id,
                {
                    "state": domain.suspend(client_of(row)).value,
                    "suspend_reason": request.reason,
                    "update_time": tx.now,
                },
            )
            await self._tokens.withdraw(tx, request.name)
            tx.emit(
                request.name,
                events.ClientSuspended(client=request.name, reason=request.reason),
            )
            return client_message(row)

        return await self._uow.run(command, work)

    async def resume(self, command: Command, request: pb.ResumeClientRequest) -> resources.Client:
        """Gives a suspended client tokens again."""

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            current_call().actor.require_impartial(row.owner)
            check_covered(current_call().actor.scopes, row.scopes)
            row = await rows.update(
                tx.connection,
                clients,
                row.id,
                {
                    "state": domain.resume(client_of(row)).value,
                    "suspend_reason": "",
                    "pending": None,
                    "backers": list(asked_by(current_call().actor.human)),
                    "update_time": tx.now,
                },
            )
            if row.state == domain.State.ACTIVE:
                await self._tokens.restore(tx, request.name)
            tx.emit(request.name, events.ClientResumed(client=request.name))
            return client_message(row)

        return await self._uow.run(command, work)


def _checked(client: resources.Client) -> dict[str, Any]:
    """Checks a new client and returns its columns."""
    kind = domain.Kind(resources.ClientKind.Name(client.kind).removeprefix("CLIENT_KIND_"))
    auth = domain.AuthMethod(resources.ClientAuthMethod.Name(client.auth_method).removeprefix("CLIENT_AUTH_METHOD_"))
    domain.check_credentials(
        kind, auth, has_keys=client.HasField("jwks"), has_assertion_right=client.HasField("assertion_right")
    )
    return {
        "display_name": client.display_name,
        "kind": kind.value,
        "owner": client.owner,
        "auth_method": auth.value,
        "jwks": checked_keys(client.jwks, "client.jwks") if client.HasField("jwks") else None,
        "scopes": list(client.scopes),
        "assertable": actor_kinds(client.assertion_right),
        "max_assurance": client.assertion_right.max_assurance,
        "quota_per_second": client.quota.per_second,
        "quota_per_day": client.quota.per_day,
    }


async def _beginning(connection: AsyncConnection, kind: domain.Kind) -> dict[str, Any]:
    """Returns the first state of a new client, and who stands behind it.

    A region's very first channel, through which its first administrators will come, can't wait for them: that one, made by
    the client of the first start, is ACTIVE at once (decision 0018). Clients are never deleted, so it is never the first again.
    """
    principal, founding = current_call().actor, False
    if kind is domain.Kind.CHANNEL and principal.subject == f"clients/{CLIENT_ID}":
        founding = await store.first_channel(connection)
    state = domain.first_state(kind, founding=founding)
    waits = state is domain.State.REQUESTED
    return {"state": state.value, "backers": list(asked_by(principal.human)) if waits else []}


async def _lock(connection: AsyncConnection, name: str, etag: str) -> Row:
    row = await store.client(connection, name, lock=True)
    check_etag(name, row.version, etag)
    return row


def _check_reach(name: str, all_others: str) -> None:
    """Lets a client at itself, and at others only with the permission ``all_others``; raises NotFound."""
    principal = current_call().actor
    if principal.subject != name and not principal.may(all_others):
        raise not_found(name)
