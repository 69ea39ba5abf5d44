"""Giving, accepting, ending and checking mandates."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.audit.reading import record_read
from libs.audit.writer import AuditWriter
from libs.clock import Clock
from libs.db import rows
from libs.db.command import Command
from libs.db.engine import Database, Row
from libs.db.etag import check_etag
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import TongbanError, not_found, reasons
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.identity.convert.mandates import mandate_message, mandate_of, power_of, scope_of
from services.identity.convert.times import moment
from services.identity.domain import mandates as domain
from services.identity.domain.regions import Direction
from services.identity.store.mandates import asserted_right, list_mandates
from services.identity.store.reading import LAST_ID, Page, one
from services.identity.tables import mandates
from services.identity.usecases import acting
from services.identity.usecases.caller import local_name, region_of, whose
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.common.v1 import error_reason_pb2
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources

_ACTIVATED = "cn.tongban.mandate.activated.v1"
_PROPOSED = "cn.tongban.mandate.proposed.v1"


class Mandates:
    """Use cases of MandateService."""

    def __init__(
        self,
        uow: UnitOfWork,
        database: Database,
        audit: AuditWriter,
        clock: Clock,
        region: str,
        tokens: TokenWithdrawals,
    ) -> None:
        self._tokens = tokens
        self._audit = audit
        self._uow = uow
        self._database = database
        self._clock = clock
        self._region = region

    async def create(self, command: Command, draft: resources.Mandate) -> resources.Mandate:
        """Gives a mandate."""
        identifier, granter = uuid7(), current_call().actor.person
        agent = local_name(draft.agent, self._region)
        current_call().actor.require_impartial(draft.principal, agent)

        async def work(tx: Transaction) -> resources.Mandate:
            given = domain.grant(
                self._draft(draft, identifier, agent, tx.now), tx.now, acceptance_required=draft.acceptance_required
            )
            await _check_granter(tx.connection, granter, draft.principal)
            await acting.agent_ready(tx.connection, agent)
            row = await rows.insert(tx.connection, mandates, _values(given, draft, granter, tx.now))
            message = mandate_message(row, tx.now)
            if given.stored_state is domain.State.PROPOSED:
                tx.emit(message.name, events.MandateProposed(mandate=message))
            else:
                tx.emit(message.name, events.MandateActivated(mandate=message))
            return message

        return await self._uow.run(command, work)

    def _draft(self, draft: resources.Mandate, identifier: str, agent: str, now: datetime) -> domain.Mandate:
        begin = moment(draft.begin_time, "mandate.begin_time") if draft.HasField("begin_time") else now
        return domain.Mandate(
            name=f"mandates/{identifier}",
            principal=draft.principal,
            agent=agent,
            scope=scope_of(draft.scope),
            begin=begin,
            expire=moment(draft.expire_time, "mandate.expire_time"),
            stored_state=domain.State.PROPOSED,
        )

    async def accept(self, command: Command, request: pb.AcceptMandateRequest) -> resources.Mandate:
        """Lets the agent accept a mandate."""
        caller = current_call().actor
        person = caller.person

        async def work(tx: Transaction) -> resources.Mandate:
            row = await one(tx.connection, mandates, request.name, lock=True)
            caller.require_impartial(row.principal, row.agent)
            accepted = domain.accept(mandate_of(row), person, tx.now)
            check_etag(request.name, row.version, request.etag)
            row = await rows.update(
                tx.connection,
                mandates,
                row.id,
                {
                    "state": accepted.stored_state.value,
                    "accept_time": tx.now,
                    "update_time": tx.now,
                },
            )
            message = mandate_message(row, tx.now)
            tx.emit(message.name, events.MandateActivated(mandate=message))
            return message

        return await self._uow.run(command, work)

    async def revoke(self, command: Command, request: pb.RevokeMandateRequest) -> resources.Mandate:
        """Ends a mandate."""
        caller = current_call().actor
        person = caller.person

        async def work(tx: Transaction) -> resources.Mandate:
            row = await one(tx.connection, mandates, request.name, lock=True)
            caller.require_impartial(row.principal, row.agent)
            if not await _is_party(tx.connection, person, row):
                raise reasons.not_owner("only who gave or holds the mandate ends it")
            check_etag(request.name, row.version, request.etag)
            ended = domain.revoke(mandate_of(row), request.reason, tx.now)
            row = await rows.update(
                tx.connection,
                mandates,
                row.id,
                {
                    "state": ended.stored_state.value,
                    "revoke_time": tx.now,
                    "revoke_reason": ended.revoke_reason,
                    "update_time": tx.now,
                },
            )
            await self._tokens.withdraw(tx, request.name)
            tx.emit(
                request.name,
                events.MandateRevoked(
                    mandate=request.name, principal=row.principal, agent=row.agent, revoke_time=timestamp(tx.now)
                ),
            )
            return mandate_message(row, tx.now)

        return await self._uow.run(command, work)

    async def get(self, request: pb.GetMandateRequest) -> resources.Mandate:
        """Reads a mandate; people read those that they are a party to, of all others it is recorded."""
        name = request.name
        person = whose(current_call().actor)
        async with self._database.read() as connection:
            row = await one(connection, mandates, name)
            if person is not None and not await _is_party(connection, person, row):
                raise not_found(name)
        await record_read(self._audit, request, name, ("mandate",), own=bool(current_call().actor.person))
        return mandate_message(row, self._clock.now())

    async def list(self, request: pb.ListMandatesRequest) -> pb.ListMandatesResponse:
        """Lists mandates, newest first; people see those that they are a party to."""
        page, now = Page(request, LAST_ID), self._clock.now()
        state = resources.MandateState.Name(request.state).removeprefix("MANDATE_STATE_") if request.state else ""
        async with self._database.read() as connection:
            found = await list_mandates(
                connection,
                party=whose(current_call().actor),
                principal=request.principal,
                agent=local_name(request.agent, self._region),
                state=state,
                now=now,
                after=page.after[0],
                limit=page.limit,
            )
        shown = [mandate_message(row, now) for row in page.cut(found, lambda row: (row.id,))]
        about = request.principal or request.agent or "mandates"
        await record_read(self._audit, request, about, ("mandate",), len(shown), own=bool(current_call().actor.person))
        return pb.ListMandatesResponse(mandates=shown, next_page_token=page.next_page_token)

    async def check(self, request: pb.CheckMandateRequest) -> pb.CheckMandateResponse:
        """Says whether a person may act for a principal, and by which right."""
        at = moment(request.at_time, "at_time") if request.HasField("at_time") else self._clock.now()
        asked = pb.CheckMandateRequest()
        asked.CopyFrom(request)
        for field in ("person", "principal", "mandate"):
            setattr(asked, field, local_name(getattr(request, field), self._region))
        try:
            async with self._database.read() as connection:
                judge = _foreign if region_of(asked.principal) else _local
                basis, expire = await judge(connection, asked, at)
        except TongbanError as refusal:
            return pb.CheckMandateResponse(reason=_reason(refusal))
        return pb.CheckMandateResponse(
            allowed=True, basis=pb.ActingBasis.Value(f"ACTING_BASIS_{basis}"), expire_time=timestamp(expire)
        )


def _reason(refusal: TongbanError) -> error_reason_pb2.ErrorReason.ValueType:
    if refusal.reason not in _ANSWERS:
        raise refusal
    return error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{refusal.reason}")


_ANSWERS = {
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


async def _local(
    connection: AsyncConnection, asked: pb.CheckMandateRequest, at: datetime
) -> tuple[domain.Basis, datetime | None]:
    found = await acting.right(connection, asked.person, asked.principal, asked.mandate, at)
    if found.mandate is None:
        return found.basis, None
    domain.check_item(found.mandate.name, found.mandate.scope, asked.item_codes, power_of(asked.power))
    return found.basis, found.mandate.expire


async def _foreign(
    connection: AsyncConnection, asked: pb.CheckMandateRequest, at: datetime
) -> tuple[domain.Basis, datetime | None]:
    await acting.require_trust(connection, region_of(asked.principal), Direction.INBOUND)
    if asked.person == asked.principal:
        return domain.Basis.SELF, None
    fact = await asserted_right(connection, asked.person, asked.principal, asked.mandate)
    if fact is None:
        if asked.mandate:
            raise not_found(asked.mandate)
        raise reasons.not_legal_representative("their region never said so", organization=asked.principal)
    if fact.expire_time is not None and fact.expire_time <= at:
        raise reasons.mandate_not_active("what their region said has ended", mandate=asked.mandate, state="EXPIRED")
    if not asked.mandate:
        return domain.Basis.LEGAL_REPRESENTATIVE, fact.expire_time
    scope = domain.Scope(
        frozenset(map(domain.Power, fact.powers)), frozenset(fact.item_codes), all_items="*" in fact.item_codes
    )
    domain.check_item(asked.mandate, scope, asked.item_codes, power_of(asked.power))
    return domain.Basis.MANDATE, fact.expire_time


async def _check_granter(connection: AsyncConnection, granter: str, principal: str) -> None:
    """Checks that who asks may give mandates in the name of ``principal``: itself, or who represents it by law."""
    if principal.startswith("organizations/"):
        organization = await acting.active_organization(connection, principal, lock=True)
        domain.basis_without(granter, principal, acting.representative(organization))
        await acting.active_person(connection, granter)
        return
    if granter != principal:
        raise reasons.not_owner("a person gives mandates in their own name only")
    await acting.active_person(connection, principal)


async def _is_party(connection: AsyncConnection, person: str, row: Row) -> bool:
    if not person:
        return False
    if person in (row.agent, row.principal):
        return True
    if not row.principal.startswith("organizations/"):
        return False
    return await acting.represents(connection, person, row.principal)


def _values(given: domain.Mandate, draft: resources.Mandate, granter: str, now: datetime) -> dict[str, object]:
    return {
        "id": given.name.removeprefix("mandates/"),
        "principal": given.principal,
        "agent": given.agent,
        "accept_time": given.accept_time,
        "all_items": given.scope.all_items,
        "item_codes": list(draft.scope.item_codes),
        "powers": [power_of(power).value for power in draft.scope.powers],
        "begin_time": given.begin,
        "expire_time": given.expire,
        "acceptance_required": draft.acceptance_required,
        "granter": granter,
        "state": given.stored_state.value,
        "create_time": now,
        "update_time": now,
    }
