"""Making clients, changing their credentials, suspending them."""

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import invalid_field, not_found
from libs.rpc.call import current_call
from services.identity.client_secrets import ClientSecrets
from services.identity.convert.clients import actor_kinds, client_message, client_of
from services.identity.domain import clients as domain
from services.identity.domain.scopes import check_covered
from services.identity.store import clients as store
from services.identity.store.reading import Page, one
from services.identity.tables import clients, departments, organizations
from services.identity.tokens.jwk import checked_keys
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources


class Clients:
    """Use cases of ClientService. Credentials live by the machine's clock (``wall``), as tokens do."""

    def __init__(self, uow: UnitOfWork, database: Database, wall: Clock, client_secrets: ClientSecrets) -> None:
        self._uow = uow
        self._database = database
        self._wall = wall
        self._secrets = client_secrets

    async def create(self, command: Command, client: resources.Client, client_id: str) -> resources.Client:
        """Makes a client; its secret, if it has one, stands in the first answer only."""
        values = _checked(client) | {"id": client_id or f"c-{secrets.token_hex(8)}"}
        check_covered(current_call().principal.scopes, client.scopes)
        secret = self._secrets.make() if values["auth_method"] == domain.AuthMethod.CLIENT_SECRET else ""

        async def work(tx: Transaction) -> resources.Client:
            if client.owner:
                owners = organizations if client.owner.startswith("organizations/") else departments
                await one(tx.connection, owners, client.owner)
            row = await rows.insert(tx.connection, clients, values | {
                "secret_mac": self._secrets.mac(secret) if secret else None,
                "create_time": tx.now, "update_time": tx.now,
            })  # fmt: skip
            name = f"clients/{row.id}"
            tx.emit("cn.tongban.client.created.v1", name, events.ClientCreated(client=name, kind=client.kind))
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
            # Who has the new key has all that the client may: nobody gets there with less, the client itself not either.
            check_covered(current_call().principal.scopes, row.scopes)
            domain.check_active(client_of(row))
            if bool(keys) != (row.auth_method == domain.AuthMethod.PRIVATE_KEY_JWT):
                raise invalid_field("jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
            change = {"jwks": keys} if keys else {"secret_mac": self._secrets.mac(secret)}
            row = await rows.update(tx.connection, clients, row.id, change | {
                **self._overlap(row, request), "update_time": tx.now,
            })  # fmt: skip
            tx.emit("cn.tongban.client.rotated.v1", request.name, events.ClientRotated(client=request.name))
            return client_message(row)

        return await self._answer(command, work, secret)

    def _overlap(self, row: Row, request: pb.RotateClientKeyRequest) -> dict[str, Any]:
        """What stays of the credentials before: nothing, or all until the overlap is over."""
        end: datetime | None = None
        if request.overlap.ToTimedelta():
            end = self._wall.now() + request.overlap.ToTimedelta()
        kept = {"old_jwks": row.jwks, "old_secret_mac": row.secret_mac} if end else {}
        return {"old_jwks": None, "old_secret_mac": None, "overlap_expire_time": end, **kept}

    async def suspend(self, command: Command, request: pb.SuspendClientRequest) -> resources.Client:
        """Gives a client no more tokens."""

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            row = await rows.update(tx.connection, clients, row.id, {
                "state": domain.suspend(client_of(row)).value, "suspend_reason": request.reason, "update_time": tx.now,
            })  # fmt: skip
            tx.emit("cn.tongban.client.suspended.v1", request.name, events.ClientSuspended(
                client=request.name, reason=request.reason))  # fmt: skip
            return client_message(row)

        return await self._uow.run(command, work)

    async def resume(self, command: Command, request: pb.ResumeClientRequest) -> resources.Client:
        """Gives a suspended client tokens again."""

        async def work(tx: Transaction) -> resources.Client:
            row = await _lock(tx.connection, request.name, request.etag)
            check_covered(current_call().principal.scopes, row.scopes)
            row = await rows.update(tx.connection, clients, row.id, {
                "state": domain.resume(client_of(row)).value, "suspend_reason": "", "update_time": tx.now,
            })  # fmt: skip
            tx.emit("cn.tongban.client.resumed.v1", request.name, events.ClientResumed(client=request.name))
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
        "display_name": client.display_name, "kind": kind.value, "owner": client.owner, "auth_method": auth.value,
        "jwks": checked_keys(client.jwks, "client.jwks") if client.HasField("jwks") else None,
        "scopes": list(client.scopes), "assertable": actor_kinds(client.assertion_right),
        "max_assurance": client.assertion_right.max_assurance, "quota_per_second": client.quota.per_second,
        "quota_per_day": client.quota.per_day, "state": domain.State.ACTIVE.value,
    }  # fmt: skip


async def _lock(connection: AsyncConnection, name: str, etag: str) -> Row:
    row = await store.client(connection, name, lock=True)
    check_etag(name, row.version, etag)
    return row


def _check_reach(name: str, all_others: str) -> None:
    """Lets a client at itself, and at others only with the permission ``all_others``; raises NotFound."""
    principal = current_call().principal
    if principal.subject != name and not principal.may(all_others):
        raise not_found(name)
