"""MandateService: giving, accepting, ending and checking mandates."""

from libs.access import owners
from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import TongbanError, not_found, reasons
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.core import acting, mandate_rules
from services.identity.core.accounts import active_organization, active_person
from services.identity.core.mandate_rules import Mandate, MandateState
from services.identity.core.mandates import mandate
from services.identity.core.names import local_name, region_of
from services.identity.core.parts import Parts
from services.identity.mandates import store
from services.identity.mandates.checking import judge
from services.identity.mandates.convert import BASES, mandate_message, new_mandate
from services.identity.mandates.service import tell_revoked
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

_REASONS = Names(error_reason_pb2.ErrorReason)
_ANSWERS = frozenset(
    {
        "NOT_LEGAL_REPRESENTATIVE",
        "MANDATE_NOT_ACTIVE",
        "MANDATE_WRONG_AGENT",
        "MANDATE_WRONG_PRINCIPAL",
        "MANDATE_OUT_OF_SCOPE",
        "PERSON_NOT_ACTIVE",
        "ORGANIZATION_NOT_ACTIVE",
        "REGION_NOT_TRUSTED",
        "RESOURCE_NOT_FOUND",
    }
)
"""The reasons that answer CheckMandate; every other refusal is one of the call itself."""


class MandateApi:
    """Keeps mandates."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def create_mandate(self, request: pb.CreateMandateRequest, call: Call) -> resources.Mandate:
        """Gives a mandate."""
        draft, granter = request.mandate, call.actor.person
        agent = local_name(draft.agent, self._parts.home)
        call.actor.require_impartial(draft.principal, agent)

        async def work(tx: Transaction) -> resources.Mandate:
            given = mandate_rules.grant(new_mandate(draft, agent, granter, tx.now), tx.now)
            await _check_granter(tx.connection, granter, draft.principal)
            await acting.agent_ready(tx.connection, agent)
            message = mandate_message(await store.ADD.add(tx.connection, given), tx.now)
            if given.state is MandateState.PROPOSED:
                tx.emit(message.name, events.MandateProposed(mandate=message))
            else:
                tx.emit(message.name, events.MandateActivated(mandate=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def accept_mandate(self, request: pb.AcceptMandateRequest, call: Call) -> resources.Mandate:
        """Lets the agent accept a mandate."""

        async def work(tx: Transaction) -> resources.Mandate:
            row = await mandate(tx.connection, request.name, lock=True)
            await _hide_from_others(tx.connection, call.actor, row)
            call.actor.require_impartial(row.principal, row.agent)
            state = mandate_rules.accept(row, call.actor.person, tx.now).state
            check_etag(request.name, row.version, request.etag)
            row = await store.UPDATE.one(tx.connection, row.id, state=state, accept_time=tx.now, update_time=tx.now)
            message = mandate_message(row, tx.now)
            tx.emit(message.name, events.MandateActivated(mandate=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def revoke_mandate(self, request: pb.RevokeMandateRequest, call: Call) -> resources.Mandate:
        """Ends a mandate."""

        async def work(tx: Transaction) -> resources.Mandate:
            row = await mandate(tx.connection, request.name, lock=True)
            await _hide_from_others(tx.connection, call.actor, row)
            call.actor.require_impartial(row.principal, row.agent)
            if not call.actor.person:
                raise reasons.not_owner("only who gave or holds the mandate ends it")
            check_etag(request.name, row.version, request.etag)
            ended = mandate_rules.revoke(row, request.reason, tx.now)
            row = await store.UPDATE.one(
                tx.connection,
                row.id,
                state=ended.state,
                revoke_time=tx.now,
                revoke_reason=ended.revoke_reason,
                update_time=tx.now,
            )
            await self._parts.withdrawals.withdraw(tx, request.name)
            tell_revoked(tx, row)
            return mandate_message(row, tx.now)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_mandate(self, request: pb.GetMandateRequest, call: Call) -> resources.Mandate:
        """Gets a mandate; people read those that they are a party to, of all others it is recorded."""
        name, own = request.name, owners.whose(call.actor) is not None
        async with self._parts.database.read() as connection:
            row = await mandate(connection, name)
            await _hide_from_others(connection, call.actor, row)
        await record_read(self._parts.audit, request, name, ("mandate",), own=own, call=call)
        return mandate_message(row, self._parts.clock.now())

    async def list_mandates(self, request: pb.ListMandatesRequest, call: Call) -> pb.ListMandatesResponse:
        """Lists mandates, newest first; people see those that they are a party to."""
        parts, now, party = self._parts, self._parts.clock.now(), owners.whose(call.actor)
        async with parts.database.read() as connection:
            firms = await store.represented(connection, party) if party and not region_of(party) else []
            scopes = _scopes(party, firms)
            shown, token = await store.LISTED.page(connection, parts.pages, request, scopes, now=now, represented=firms)
        about = store.LISTED.held(request, "principal") or store.LISTED.held(request, "agent") or "mandates"
        own = party is not None
        await record_read(parts.audit, request, about, ("mandate",), len(shown), own=own, call=call)
        messages = [mandate_message(row, now) for row in shown]
        return pb.ListMandatesResponse(mandates=messages, next_page_token=token)

    async def check_mandate(self, request: pb.CheckMandateRequest, call: Call) -> pb.CheckMandateResponse:
        """Says whether a person may act for a principal, and by which right."""
        parts = self._parts
        at = moment_of(request.at_time, "at_time") if request.HasField("at_time") else parts.clock.now()
        try:
            async with parts.database.read() as connection:
                basis, expire = await judge(connection, request, parts.home, at)
        except TongbanError as refusal:
            if refusal.reason not in _ANSWERS:
                raise
            return pb.CheckMandateResponse(reason=_REASONS.number(refusal.reason))
        return pb.CheckMandateResponse(allowed=True, basis=BASES.number(basis.value), expire_time=timestamp(expire))


def _scopes(party: str | None, firms: list[str]) -> list[Scope]:
    """What a caller may see: people what they are a party to, by themselves or as legal representatives; officials all."""
    if party is None:
        return [Scope({})]
    mine = [Scope({"agent": party}), Scope({"principal": party})]
    return [*mine, Scope({}, (store.OF_REPRESENTED,))] if firms else mine


async def _check_granter(connection: DatabaseConnection, granter: str, principal: str) -> None:
    """Checks that who asks may give mandates in the name of ``principal``: itself, or who represents it by law."""
    if principal.startswith("organizations/"):
        organization = await active_organization(connection, principal, lock=True)
        mandate_rules.basis_without(granter, principal, organization.representative)
        await active_person(connection, granter)
        return
    if granter != principal:
        raise reasons.not_owner("a person gives mandates in their own name only")
    await active_person(connection, principal)


async def _hide_from_others(connection: DatabaseConnection, actor: Actor, row: Mandate) -> None:
    """Raises NotFound RESOURCE_NOT_FOUND where people ask for a mandate that they are no party to.

    Whom they act for does not count here: a firm's agent does not see its other agents.
    """
    if actor.person and not await _is_party(connection, actor.person, row):
        raise not_found(row.name)


async def _is_party(connection: DatabaseConnection, person: str, row: Mandate) -> bool:
    if person in (row.agent, row.principal):
        return True
    if not row.principal.startswith("organizations/"):
        return False
    return await acting.represents(connection, person, row.principal)
