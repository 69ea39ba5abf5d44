"""ClientService: making clients, changing their credentials, suspending them.

Credentials live by the machine's clock, as tokens do.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from libs.access.actor import Actor, Standing
from libs.db.command import Command, command_of
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.patches import patch_of
from services.identity.api_clients import store
from services.identity.api_clients.convert import certificates_of, client_message
from services.identity.api_clients.drafts import check_new, drafted
from services.identity.api_clients.owning import answers_for, firm_of
from services.identity.api_clients.requesting import MOST_WAITING, begun, check_from_outside, firm_asked
from services.identity.api_clients.terms import changed_terms, take_less
from services.identity.api_clients.updating import client_change, wanted_client
from services.identity.api_clients.usage import client_of, usage_message
from services.identity.core import client_rules, clients, logout_notices, sign_in_grants, staff
from services.identity.core.accounts import active_organization, organization
from services.identity.core.approval import approved_by, asked_by, holds
from services.identity.core.client_certificates import ClientCertificate, as_told
from services.identity.core.client_rules import (
    FIRST_CLIENT,
    Client,
    ClientAuthMethod,
    ClientKind,
    ClientState,
    Keys,
    PendingKeys,
)
from services.identity.core.jwk import checked_keys
from services.identity.core.parts import Parts
from services.identity.core.scopes import check_covered
from tongban.identity.v1 import client_service_pb2 as pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import resources_pb2 as resources

Work = Callable[[Transaction], Awaitable[resources.Client]]


@dataclass(frozen=True, slots=True)
class GivenCredentials:
    """What a rotation brings: keys, or certificates, or nothing where a secret is made."""

    keys: Keys | None
    certificates: tuple[ClientCertificate, ...]

    def change(self, row: Client) -> dict[str, Any]:
        """The columns of a client that it replaces."""
        keys = {"jwks": self.keys} if self.keys else {}
        # Of one that stays its end is told no second time.
        kept = as_told(self.certificates, (*row.certificates, *row.old_certificates))
        return keys | ({"certificates": kept} if kept else {})


class ClientApi:
    """Keeps clients."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_client(self, request: pb.CreateClientRequest, call: Call) -> resources.Client:
        """Makes a client; its secret, if it has one, stands in the first answer only."""
        asked, actor = request.client, call.actor
        actor.require_impartial(asked.owner)
        draft = drafted(self._parts, asked, request.client_id)
        check_new(asked, draft)
        check_covered(actor.scopes, draft.scopes)
        secret = self._parts.client_secrets.make() if draft.auth_method is ClientAuthMethod.CLIENT_SECRET else ""

        async def work(tx: Transaction) -> resources.Client:
            await _check_owner(tx.connection, draft.owner)
            begun = await _begun(tx.connection, replace(draft, create_time=tx.now, update_time=tx.now), actor)
            mac = self._parts.client_secrets.mac(secret) if secret else None
            row = await store.ADD.add(tx.connection, replace(begun, secret_mac=mac))
            tx.emit(row.name, events.ClientCreated(client=row.name, kind=asked.kind))
            return client_message(row, self._parts.wall.now())

        return await self._answer(command_of(request, call=call), work, secret)

    async def _answer(self, command: Command, work: Work, secret: str) -> resources.Client:
        """Runs ``work`` and adds the secret to its own answer: the stored answer, and so a repeated one, has none."""
        made: list[resources.Client] = []

        async def remembered(tx: Transaction) -> resources.Client:
            made.append(await work(tx))
            return made[-1]

        answer = await self._parts.uow.run(command, remembered)
        if made and answer is made[-1]:
            answer.secret = secret
        return answer

    async def get_client(self, request: pb.GetClientRequest, call: Call) -> resources.Client:
        """Gets a client, without its secret."""
        return client_message(await self._read(request.name, call.actor), self._parts.wall.now())

    async def get_usage(self, request: pb.GetUsageRequest, call: Call) -> resources.Usage:
        """Gets what a client has used of what it may."""
        row = await self._read(client_of(request.name), call.actor)
        now = self._parts.wall.now()
        default = self._parts.codec.quota
        used = await self._parts.quotas.used(row.id, now) if row.quota_or(default) else None
        return usage_message(row, used, now, default)

    async def _read(self, name: str, actor: Actor) -> Client:
        """Reads a client for who may see it; raises NotFound."""
        person = actor.standing is Standing.PERSON
        if not person:
            _check_reach(actor, name, "identity.clients.list")
        async with self._parts.database.read() as connection:
            row = await clients.client(connection, name)
        if person and not answers_for(actor, row):
            raise not_found(name)
        return row

    async def list_clients(self, request: pb.ListClientsRequest, call: Call) -> pb.ListClientsResponse:
        """Lists clients by name; people those of the firm that they act for."""
        parts, now = self._parts, self._parts.wall.now()
        own = call.actor.standing is Standing.PERSON
        scopes = [Scope({"owner": firm_of(call.actor)})] if own else [Scope({})]
        async with parts.database.read() as connection:
            shown, token = await store.LISTED.page(connection, parts.pages, request, scopes, now=now)
        return pb.ListClientsResponse(clients=[client_message(row, now) for row in shown], next_page_token=token)

    async def rotate_client_key(self, request: pb.RotateClientKeyRequest, call: Call) -> resources.Client:
        """Replaces a client's keys or certificates, or makes it a new secret."""
        _check_reach(call.actor, request.name, "identity.clients.create")
        given = self._given(request)
        secret = "" if given.keys or given.certificates else self._parts.client_secrets.make()

        async def work(tx: Transaction) -> resources.Client:
            row = await store.lock(tx.connection, request.name, request.etag)
            _check_rotation(row, call.actor, given)
            change = self._rotated(row, request.overlap.ToTimedelta(), given, secret, call.actor.human)
            row = await store.UPDATE.one(tx.connection, row.id, **change, update_time=tx.now)
            if row.overlap_expire_time is None and row.kind is not ClientKind.CHANNEL:
                await self._parts.withdrawals.renew(tx, request.name)
            tx.emit(request.name, events.ClientRotated(client=request.name))
            return client_message(row, self._parts.wall.now())

        return await self._answer(command_of(request, call=call), work, secret)

    def _given(self, request: pb.RotateClientKeyRequest) -> GivenCredentials:
        keys = checked_keys(request.jwks, "jwks") if request.HasField("jwks") else None
        return GivenCredentials(keys, certificates_of(request.certificates, "certificates", self._parts.wall.now()))

    def _rotated(
        self, row: Client, overlap: timedelta, given: GivenCredentials, secret: str, human: str
    ) -> dict[str, Any]:
        """What a rotation changes; the new keys of a channel wait for two people."""
        if row.kind is ClientKind.CHANNEL:
            # One thing waits at a time: nobody who approves stands behind what another asked for before.
            waits = PendingKeys(given.keys or [], overlap.total_seconds())
            return {"pending": waits, "pending_terms": None, "backers": asked_by(human)}
        change = given.change(row) or {"secret_mac": self._parts.client_secrets.mac(secret)}
        return {**change, "rotate_time": self._parts.wall.now(), **self._overlap(row, overlap)}

    def _overlap(self, row: Client, overlap: timedelta) -> dict[str, Any]:
        """What stays of the credentials before: nothing, or all until the overlap is over."""
        end = self._parts.wall.now() + overlap if overlap else None
        keys, mac = (row.jwks, row.secret_mac) if end else (None, None)
        old = {"old_jwks": keys, "old_secret_mac": mac, "old_certificates": row.certificates if end else ()}
        return {**old, "overlap_expire_time": end}

    async def approve_client(self, request: pb.ApproveClientRequest, call: Call) -> resources.Client:
        """Stands behind a channel, or behind new keys of one; the second human being lets it take effect."""

        async def work(tx: Transaction) -> resources.Client:
            before = await store.lock(tx.connection, request.name, request.etag)
            call.actor.require_impartial(before.owner, before.applicant)
            _check_waits(before)
            if before.applicant:
                check_covered(call.actor.scopes, before.scopes)
            backers = approved_by(before.backers, call.actor.human, actor_kind=call.actor.kind)
            effective = holds(backers, client_rules.approvers_needed(before.kind))
            change = self._approved(before) if effective else {"backers": backers}
            row = await store.UPDATE.one(tx.connection, before.id, **change, update_time=tx.now)
            await self._take_tokens(tx, before, row)
            tx.emit(request.name, events.ClientApproved(client=request.name, effective=effective))
            return client_message(row, self._parts.wall.now())

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await self._parts.withdrawals.settled()
        return answer

    def _approved(self, row: Client) -> dict[str, Any]:
        """What takes effect when enough people stand behind it."""
        if row.state is ClientState.REQUESTED:
            return {"state": ClientState.ACTIVE, "suspend_reason": "", "backers": ()}
        if row.pending is None:
            assert row.pending_terms is not None
            return {**changed_terms(row, row.pending_terms), "pending_terms": None, "backers": ()}
        kept = self._overlap(row, timedelta(seconds=row.pending.overlap))
        made = self._parts.wall.now()
        return {"jwks": row.pending.jwks, "pending": None, "rotate_time": made, "backers": (), **kept}

    async def _take_tokens(self, tx: Transaction, before: Client, row: Client) -> None:
        """Takes the tokens of a channel that may speak now, and only those by its new keys where the old ones are gone."""
        if before.state is not row.state:
            await self._parts.withdrawals.restore(tx, row.name)
        elif before.pending is not None and row.pending is None and row.overlap_expire_time is None:
            await self._parts.withdrawals.renew(tx, row.name)
        else:
            await take_less(tx, self._parts.withdrawals, before, row)

    async def suspend_client(self, request: pb.SuspendClientRequest, call: Call) -> resources.Client:
        """Gives a client no more tokens, and ends all sign-ins to it for good."""

        async def work(tx: Transaction) -> resources.Client:
            row = await store.lock(tx.connection, request.name, request.etag)
            state = client_rules.suspend(row)
            change = {"state": state, "suspend_reason": request.reason, "suspensions": row.suspensions + 1}
            row = await store.UPDATE.one(tx.connection, row.id, **change, update_time=tx.now)
            await self._parts.withdrawals.withdraw(tx, request.name)
            # Told of before it is noted: who is told is who still stood.
            await logout_notices.of_client(tx.connection, row.id, self._parts.wall.now())
            await sign_in_grants.note_suspended(tx.connection, self._parts.wall.now(), row.id)
            tx.emit(request.name, events.ClientSuspended(client=request.name, reason=request.reason))
            return client_message(row, self._parts.wall.now())

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def resume_client(self, request: pb.ResumeClientRequest, call: Call) -> resources.Client:
        """Gives a suspended client tokens again."""

        async def work(tx: Transaction) -> resources.Client:
            row = await store.lock(tx.connection, request.name, request.etag)
            call.actor.require_impartial(row.owner)
            check_covered(call.actor.scopes, row.scopes)
            row = await store.UPDATE.one(
                tx.connection,
                row.id,
                state=client_rules.resume(row),
                suspend_reason="",
                pending=None,
                pending_terms=None,
                backers=asked_by(call.actor.human),
                update_time=tx.now,
            )
            if row.state is ClientState.ACTIVE:
                await self._parts.withdrawals.restore(tx, request.name)
            tx.emit(request.name, events.ClientResumed(client=request.name))
            return client_message(row, self._parts.wall.now())

        return await self._parts.uow.run(command_of(request, call=call), work)


class ClientRequestApi:
    """Takes requests for clients, and refuses them; they are approved as others are."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def request_client(self, request: pb.RequestClientRequest, call: Call) -> resources.Client:
        """Asks for a client of the firm that the caller acts for; a sandbox gives what harms nobody at once."""
        asked, wall = request.client, self._parts.wall

        async def work(tx: Transaction) -> resources.Client:
            firm, draft = firm_asked(call.actor, asked), drafted(self._parts, asked)
            check_new(asked, draft)
            check_from_outside(draft)
            asking = replace(draft, owner=firm, applicant=call.actor.person)
            wanted = begun(asking, self._parts.environment, wall.now())
            await active_organization(tx.connection, firm)
            if await store.asked_for(tx.connection, firm, wall.now(), MOST_WAITING) >= MOST_WAITING:
                raise state_conflict(firm, ClientState.REQUESTED, ClientState.ACTIVE, ClientState.REFUSED)
            row = await store.ADD.add(tx.connection, replace(wanted, create_time=tx.now, update_time=tx.now))
            tx.emit(row.name, events.ClientRequested(client=row.name, kind=asked.kind, owner=firm))
            return client_message(row, wall.now())

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def refuse_client(self, request: pb.RefuseClientRequest, call: Call) -> resources.Client:
        """Refuses a client that waits, for good."""
        wall = self._parts.wall

        async def work(tx: Transaction) -> resources.Client:
            row = await store.lock(tx.connection, request.name, request.etag)
            call.actor.require_impartial(row.owner, row.applicant)
            refused = {"state": client_rules.refuse(row), "refuse_reason": request.reason, "backers": ()}
            row = await store.UPDATE.one(tx.connection, row.id, **refused, update_time=tx.now)
            tx.emit(row.name, events.ClientRefused(client=row.name, reason=request.reason))
            return client_message(row, wall.now())

        return await self._parts.uow.run(command_of(request, call=call), work)


class ClientUpdateApi:
    """Changes what clients may do."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def update_client(self, request: pb.UpdateClientRequest, call: Call) -> resources.Client:
        """Changes a client by the mask."""
        patch, wall = patch_of(request, resources.Client), self._parts.wall

        async def work(tx: Transaction) -> resources.Client:
            row = await store.lock(tx.connection, patch.name, request.etag)
            call.actor.require_impartial(row.owner, row.applicant)
            client_rules.check_not_refused(row)
            wanted = wanted_client(row, client_message(row, wall.now()), patch)
            change = client_change(row, wanted, patch, call.actor)
            after = await store.UPDATE.one(tx.connection, row.id, **change, update_time=tx.now)
            await take_less(tx, self._parts.withdrawals, row, after)
            tx.emit(row.name, events.ClientUpdated(client=row.name, pending=after.pending_terms is not None))
            return client_message(after, wall.now())

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        await self._parts.withdrawals.settled()
        return answer


async def _check_owner(connection: DatabaseConnection, owner: str) -> None:
    if owner.startswith("organizations/"):
        await organization(connection, owner)
    elif owner:
        await staff.department(connection, owner)


async def _begun(connection: DatabaseConnection, draft: Client, actor: Actor) -> Client:
    """Returns a new client in its first state, with who stands behind it.

    A region's very first channel, through which its first administrators will come, can't wait for them: that one, made by
    the client of the first start, is ACTIVE at once (decision 0018). Clients are never deleted, so it is never the first again.
    """
    founding = False
    if draft.kind is ClientKind.CHANNEL and actor.subject == f"clients/{FIRST_CLIENT}":
        founding = await store.first_channel(connection)
    state = client_rules.first_state(draft.kind, founding=founding)
    return replace(draft, state=state, backers=asked_by(actor.human) if state is ClientState.REQUESTED else ())


def _check_rotation(row: Client, actor: Actor, given: GivenCredentials) -> None:
    actor.require_impartial(row.owner)
    # Who has the new key has all that the client may: nobody gets there with less, the client itself not either.
    check_covered(actor.scopes, row.scopes)
    client_rules.check_active(row)
    if bool(given.keys) != (row.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT):
        raise invalid_field("jwks", "client.keys", "is needed for private_key_jwt and for nothing else")
    if bool(given.certificates) != (row.auth_method is ClientAuthMethod.TLS_CLIENT_AUTH):
        raise invalid_field("certificates", "client.certificates", "is needed for tls_client_auth and for nothing else")


def _check_waits(row: Client) -> None:
    waits = row.pending is not None or row.pending_terms is not None
    if row.state in (ClientState.SUSPENDED, ClientState.REFUSED) or (row.state is ClientState.ACTIVE and not waits):
        raise state_conflict(row.name, row.state, ClientState.REQUESTED)


def _check_reach(actor: Actor, name: str, all_others: str) -> None:
    """Lets a client at itself, and at others only with the permission ``all_others``; raises NotFound."""
    if actor.subject != name and not actor.may(all_others):
        raise not_found(name)
