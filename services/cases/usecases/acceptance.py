"""The receiving side of a case (受理): ask for correction, accept, accept with tolerance, decline, accept by law."""

from libs.access.actor import Actor
from libs.civil.calendar import Calendar, local_day
from libs.db.command import Command
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.errors import reasons
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import ACTION, codes_of, date_message, day_of, id_of
from services.cases.domain.clock import SpecialProcedure, is_deemed_accepted
from services.cases.domain.materials import Obligation, check_codes, missing_at_acceptance, tolerate
from services.cases.domain.states import Action, CaseState
from services.cases.store.cases import CaseRecord
from services.cases.store.items import ItemVersion
from services.cases.usecases import deadlines
from services.cases.usecases.access import require_handler
from services.cases.usecases.desk import Change, Desk, Outside, facts_of
from services.cases.usecases.license_checks import LicenseChecks
from services.cases.usecases.material_checks import MaterialChecks, key_of, unchecked
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

SELF = "services/cases"


class Acceptance:
    """Use cases of receiving staff."""

    def __init__(self, desk: Desk, clock: deadlines.Deadlines, checks: MaterialChecks, licences: LicenseChecks) -> None:
        self._desk = desk
        self._licences = licences
        self._deadlines = clock
        self._checks = checks

    async def request_correction(self, command: Command, request: rpc.RequestCorrectionRequest) -> pb.Case:
        """Asks for correction, once; the acceptance clock stands still."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request.name, request.etag, actor)
            check_codes(item.rules, [point.material_code for point in request.points if point.material_code])
            calendar = await self._desk.calendars.current()
            facts = facts_of(record, told_too_late=self._is_overdue(tx, record, item, calendar))
            before = self._desk.move(record, facts, Action.REQUEST_CORRECTION, actor.human)
            await self._deadlines.stop(tx, record, item, SpecialProcedure.CORRECTION, "")
            record.content.correction.CopyFrom(
                pb.Correction(
                    points=request.points,
                    answer_days=request.answer_days or deadlines.ANSWER_DAYS,
                    request_time=timestamp(tx.now),
                    requested_by=actor.subject,
                )
            )
            record.changed = True
            due = date_message(deadlines.correction_due(record.content.correction, calendar))
            change = Change(
                Action.REQUEST_CORRECTION,
                actor.subject,
                actor.department,
                "补正告知",
                progress=exchange.TransferProgress(correction_points=request.points, correction_due_date=due),
            )
            event = events.CaseCorrectionRequested(points=request.points, due_date=due)
            return await self._desk.finish(tx, record, item, before, change, event)

        return await self._desk.run(command, work)

    def _is_overdue(self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> bool:
        """True where the case is accepted by law already: nothing was told within the period (行政许可法 32)."""
        if record.state != CaseState.SUBMITTED:
            return False
        return is_deemed_accepted(deadlines.clock_of(record, item), calendar, local_day(tx.now))

    async def accept(self, command: Command, request: rpc.AcceptCaseRequest) -> pb.Case:
        """Accepts a case; licences and files handed over by reference are checked before."""
        return await self._accept(command, request, (), None)

    async def accept_with_tolerance(self, command: Command, request: rpc.AcceptCaseWithToleranceRequest) -> pb.Case:
        """Accepts a case although tolerable materials are missing."""
        obligations = tuple(
            Obligation(each.material_code, day_of(each.due_date, "obligations.due_date"))
            for each in request.obligations
        )
        return await self._accept(command, request, obligations, request.commitment)

    async def _accept(
        self,
        command: Command,
        request: rpc.AcceptCaseRequest | rpc.AcceptCaseWithToleranceRequest,
        obligations: tuple[Obligation, ...],
        commitment: common_pb2.DocumentRef | None,
    ) -> pb.Case:
        actor = current_call().actor
        checked: list[bytes] = []
        asked: set[bytes] = set()

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request.name, request.etag, actor)
            if record.state == CaseState.SUBMITTED:
                self._ask_checks(command, record, item, checked)
                if obligations:
                    tolerate(item.rules, codes_of(record.content.materials), obligations, local_day(tx.now))
            action = Action.ACCEPT_WITH_TOLERANCE if obligations else Action.ACCEPT
            tolerated = [each.code for each in obligations]
            facts = facts_of(
                record,
                missing_materials=missing_at_acceptance(item.rules, codes_of(record.content.materials), tolerated),
                unverified_materials=tuple(each.reference.code for each in unchecked(record)),
            )
            before = self._desk.move(record, facts, action, actor.human)
            self._licences.ask(record, item, asked)
            if commitment is not None:
                record.content.commitment.CopyFrom(commitment)
                record.content.obligations.extend(
                    pb.ToleranceObligation(material_code=each.code, due_date=date_message(each.due))
                    for each in obligations
                )
                record.changed = True
            record.accepted_human = actor.human
            change = Change(action, actor.subject, actor.department, request.note, open_task="REVIEW")
            return await self._accepted(tx, record, item, before, change)

        return await self._desk.run(command, work)

    def _ask_checks(self, command: Command, record: CaseRecord, item: ItemVersion, checked: list[bytes]) -> None:
        """Has unchecked materials checked, each set of them once a call: what was refused then stays refused."""
        waiting = unchecked(record)
        if not waiting or key_of(waiting) in checked:
            return

        async def settle() -> None:
            await self._checks.run(command, record, item, waiting, self._desk.uow.run)
            checked.append(key_of(unchecked(await self._desk.store.read(record.id))))

        raise Outside(settle)

    async def _accepted(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, before: str, change: Change
    ) -> pb.Case:
        calendar, day = await self._desk.calendars.current(), local_day(tx.now)
        if is_deemed_accepted(deadlines.clock_of(record, item), calendar, day):
            # Silence accepts from the day of receipt on (of the last full submission), not from the day on which somebody
            # notices, and not from the day of an acceptance that comes too late (行政许可法 32).
            assert record.clock_start is not None
            day = record.clock_start
        record.accept_time, record.accepted_by = tx.now, change.actor
        deadlines.start(record, day)
        promised, statutory = deadlines.last_days(record, item, calendar, tx.now)
        event = events.CaseAccepted(
            action=ACTION.number(str(change.action)),
            promised_date=promised,
            statutory_date=statutory,
            obligations=record.content.obligations,
        )
        return await self._desk.finish(tx, record, item, before, change, event)

    async def decline(self, command: Command, request: rpc.DeclineCaseRequest) -> pb.Case:
        """Declines a case."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request.name, request.etag, actor)
            calendar = await self._desk.calendars.current()
            facts = facts_of(record, told_too_late=self._is_overdue(tx, record, item, calendar))
            before = self._desk.move(record, facts, Action.DECLINE, actor.human)
            record.end_time, record.accepted_by, record.accepted_human = tx.now, actor.subject, actor.human
            record.content.end_reason, record.changed = request.reason, True
            change = Change(Action.DECLINE, actor.subject, actor.department, request.reason)
            return await self._desk.finish(tx, record, item, before, change, events.CaseDeclined(reason=request.reason))

        return await self._desk.run(command, work)

    async def deem_accepted(self, command: Command, case_id: str) -> pb.Case:
        """Accepts a case by law, where nothing was told within the acceptance period (行政许可法 32)."""

        async def work(tx: Transaction) -> pb.Case:
            record = await self._desk.store.lock(tx.connection, case_id)
            item = await self._desk.items.version(record.item)
            if record.state != CaseState.SUBMITTED:
                raise reasons.case_not_deemed_accepted(f"{record.name} is {record.state}")
            calendar = await self._desk.calendars.current()
            facts = facts_of(record, acceptance_overdue=self._is_overdue(tx, record, item, calendar))
            before = self._desk.move(record, facts, Action.DEEM_ACCEPTED)
            change = Change(Action.DEEM_ACCEPTED, SELF, note="逾期未告知,视为受理", open_task="REVIEW")
            return await self._accepted(tx, record, item, before, change)

        return await self._desk.run(command, work)

    async def _locked(self, tx: Transaction, name: str, etag: str, actor: Actor) -> tuple[CaseRecord, ItemVersion]:
        record = await self._desk.store.lock(tx.connection, id_of(name))
        require_handler(actor, record)
        check_etag(name, record.version, etag)
        return record, await self._desk.items.version(record.item)
