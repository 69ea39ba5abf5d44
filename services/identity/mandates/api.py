"""MandateService: giving, accepting, ending and checking mandates; recording and approving guardians."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from libs.access import owners
from libs.access.actor import Actor
from libs.audit.reading import record_read
from libs.db.command import command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import TongbanError, invalid_field, not_found, reasons
from libs.ids import citizen_id
from libs.ids.documents import CITIZEN_ID
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import Names, moment_of, timestamp
from services.identity.core import acting, approval, mandate_chain, mandate_rules
from services.identity.core.accounts import active_organization, active_person
from services.identity.core.mandate_rules import Mandate, MandateKind, MandateState, kind_for
from services.identity.core.mandates import PASSED_ON, mandate
from services.identity.core.names import local_name, region_of
from services.identity.core.parts import Parts
from services.identity.mandates import rules, store
from services.identity.mandates.checking import judge
from services.identity.mandates.convert import BASES, kind_of, mandate_message, new_mandate
from services.identity.mandates.ending import end_mandate
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

_REASONS = Names(error_reason_pb2.ErrorReason)
_LEAST_ASSURANCE = 2
"""Of a guardian, as of a legal representative: the name was compared with a source of truth."""
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
        _check_kind(draft)

        async def work(tx: Transaction) -> resources.Mandate:
            given = mandate_rules.grant(new_mandate(draft, agent, granter, tx.now), tx.now)
            await _check_right_to_give(tx, given)
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
            _check_may_end(call.actor, row)
            check_etag(request.name, row.version, request.etag)
            ended = await end_mandate(tx, self._parts.withdrawals, row, request.reason)
            return mandate_message(ended, tx.now)

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def get_mandate(self, request: pb.GetMandateRequest, call: Call) -> resources.Mandate:
        """Gets a mandate; people read those that they are a party to, of all others it is recorded."""
        name, own = request.name, owners.whose(call.actor) is not None
        async with self._parts.database.read() as connection:
            row = await mandate(connection, name)
            await _hide_from_others(connection, call.actor, row)
        await record_read(self._parts.audit, request, name, ("mandate",), own=own, of=_parties([row]), call=call)
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
        of = _parties(shown)
        await record_read(parts.audit, request, about, ("mandate",), len(shown), own=own, of=of, call=call)
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


class GuardianApi:
    """Keeps guardians' mandates."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def record_guardian(self, request: pb.RecordGuardianRequest, call: Call) -> resources.Mandate:
        """Records a guardian, who waits for a second member of staff."""
        draft, actor = request.mandate, call.actor
        if kind_of(draft) not in (None, MandateKind.GUARDIAN):
            raise invalid_field("mandate.kind", "mandate.kind", "is GUARDIAN, where it is said")
        if draft.max_uses:
            raise invalid_field("mandate.max_uses", "mandate.max_uses", "is for what a principal gives")
        agent = local_name(draft.agent, self._parts.home)
        actor.require_impartial(draft.principal, agent)

        async def work(tx: Transaction) -> resources.Mandate:
            given = new_mandate(draft, agent, "", tx.now)
            ward, guardian = await self._ages(tx.connection, given)
            waits = rules.request_guardian(given, ward, guardian, tx.now)
            backed = replace(waits, witnesses=(actor.subject,), backers=approval.asked_by(actor.human))
            message = mandate_message(await store.ADD.add(tx.connection, backed), tx.now)
            tx.emit(message.name, events.MandateProposed(mandate=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def approve_guardian(self, request: pb.ApproveGuardianRequest, call: Call) -> resources.Mandate:
        """Lets a second member of staff approve a guardian."""
        actor = call.actor

        async def work(tx: Transaction) -> resources.Mandate:
            row = await mandate(tx.connection, request.name, lock=True)
            actor.require_impartial(row.principal, row.agent)
            approved = rules.approve_guardian(row, actor.human, actor.subject, tx.now)
            check_etag(request.name, row.version, request.etag)
            await active_person(tx.connection, row.principal)
            await acting.agent_ready(tx.connection, row.agent)
            row = await store.UPDATE.one(
                tx.connection,
                row.id,
                state=approved.state,
                accept_time=approved.accept_time,
                backers=approved.backers,
                witnesses=approved.witnesses,
                update_time=tx.now,
            )
            message = mandate_message(row, tx.now)
            tx.emit(message.name, events.MandateActivated(mandate=message))
            return message

        return await self._parts.uow.run(command_of(request, call=call), work)

    async def _ages(self, connection: DatabaseConnection, given: Mandate) -> tuple[date | None, date | None]:
        """Returns when ward and guardian were born, as far as a document tells it; checks that their accounts are in use."""
        ward = await self._born(connection, given.principal) if given.principal.startswith("persons/") else None
        if region_of(given.agent):
            await acting.agent_ready(connection, given.agent)
            return ward, None
        return ward, await self._born(connection, given.agent, _LEAST_ASSURANCE)

    async def _born(self, connection: DatabaseConnection, name: str, assurance: int = 0) -> date | None:
        person = await active_person(connection, name)
        if person.assurance < assurance:
            raise reasons.assurance_too_low(
                "a guardian must be verified first", required=str(assurance), actual=str(person.assurance)
            )
        if person.document_type != CITIZEN_ID:
            return None
        return citizen_id.parse(person.clear_number(self._parts.cipher), "mandate.principal").birth_date


def _parties(rows: Sequence[Mandate]) -> set[str]:
    return {party for row in rows for party in (row.principal, row.agent)}


def _check_kind(draft: resources.Mandate) -> None:
    """Raises FIELD_INVALID where somebody gives what the principal can't give, or shows what is asked of guardians."""
    if kind_of(draft) not in (None, kind_for(draft.principal)):
        raise invalid_field("mandate.kind", "mandate.kind", "is AGENT for an organisation, HELPER for a person")
    if draft.evidence:
        raise invalid_field("mandate.evidence", "mandate.evidence", "is for guardians, whom staff record")


def _check_may_end(actor: Actor, row: Mandate) -> None:
    """Raises PermissionDenied NOT_OWNER where who sees a mandate may not end it."""
    if not actor.person and not row.guardian:
        raise reasons.not_owner("only who gave or holds the mandate ends it")
    if row.guardian and actor.person == row.principal:
        raise reasons.not_owner("a guardian is not the ward's to dismiss")


def _scopes(party: str | None, firms: list[str]) -> list[Scope]:
    """What a caller may see: people what they are a party to, by themselves or as legal representatives; officials all."""
    if party is None:
        return [Scope({})]
    mine = [Scope({"agent": party}), Scope({"principal": party}), Scope({"granter": party}, (PASSED_ON,))]
    return [*mine, Scope({}, (store.OF_REPRESENTED,))] if firms else mine


async def _check_right_to_give(tx: Transaction, given: Mandate) -> None:
    """Checks that who asks may give a mandate: as the principal, or as the agent of what it is passed on from."""
    if not given.parent:
        await _check_granter(tx.connection, given.granter, given.principal)
        return
    # Locked: it is not ended in between, nor passed on more often than may be.
    parent = await mandate(tx.connection, given.parent, lock=True)
    if not await _is_party(tx.connection, given.granter, parent):
        raise not_found(given.parent)
    passed_on = await store.passed_on(tx.connection, parent.name, tx.now)
    mandate_chain.check_passing_on(given, parent, passed_on, tx.now)
    await acting.agent_ready(tx.connection, given.granter)
    await acting.principal_ready(tx.connection, given.principal)


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
    if person in (row.agent, row.principal) or (row.parent and person == row.granter):
        return True
    if not row.principal.startswith("organizations/"):
        return False
    return await acting.represents(connection, person, row.principal)
