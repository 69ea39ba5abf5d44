"""Review, decision and end of a case (审查, 决定, 办结)."""

from typing import Protocol

from libs.access.actor import Actor
from libs.db.command import Command
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.rpc.call import current_call
from libs.rpc.timestamps import timestamp
from services.cases.convert import OUTCOME, PROCEDURE, id_of
from services.cases.domain.clock import Extension, SpecialProcedure
from services.cases.domain.materials import open_codes
from services.cases.domain.outcomes import Outcome, check_reason, yields_license
from services.cases.domain.states import Action, CaseState
from services.cases.store.cases import CaseRecord
from services.cases.store.items import ItemVersion
from services.cases.usecases import parties
from services.cases.usecases.access import require_handler
from services.cases.usecases.deadlines import Deadlines, last_days
from services.cases.usecases.desk import Change, Desk, Outside, facts_of
from services.cases.usecases.drafts import obligations_of
from services.cases.usecases.license_checks import LicenseChecks, decided_event
from services.cases.usecases.material_checks import MaterialChecks, unchecked
from tongban.cases.v1 import case_service_pb2 as rpc
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def etag(self) -> str: ...


class Handling:
    """Use cases of reviewing and deciding staff."""

    def __init__(self, desk: Desk, clock: Deadlines, checks: MaterialChecks, licences: LicenseChecks) -> None:
        self._desk = desk
        self._licences = licences
        self._deadlines = clock
        self._checks = checks

    async def start_review(self, command: Command, request: rpc.StartReviewRequest) -> pb.Case:
        """Takes a case under review."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            before = self._desk.move(record, facts_of(record), Action.START_REVIEW, actor.human)
            record.reviewed_by = actor.subject
            change = _change(Action.START_REVIEW, actor, open_task="DECIDE")
            return await self._desk.finish(tx, record, item, before, change, events.CaseReviewStarted())

        return await self._desk.run(command, work)

    async def suspend(self, command: Command, request: rpc.SuspendCaseRequest) -> pb.Case:
        """Stops the clock for a special procedure."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            before = self._desk.move(record, facts_of(record), Action.SUSPEND, actor.human)
            procedure = SpecialProcedure(PROCEDURE.name(request.procedure))
            await self._deadlines.stop(tx, record, item, procedure, request.reason)
            change = _change(Action.SUSPEND, actor, request.reason, end_tasks="")
            event = events.CaseSuspended(procedure=request.procedure, reason=request.reason)
            return await self._desk.finish(tx, record, item, before, change, event)

        return await self._desk.run(command, work)

    async def resume(self, command: Command, request: rpc.ResumeCaseRequest) -> pb.Case:
        """Sets the clock going again."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            before = self._desk.move(record, facts_of(record), Action.RESUME, actor.human)
            calendar = await self._desk.calendars.current()
            suspended = await self._deadlines.go(tx, record, item, calendar)
            promised, statutory = last_days(record, item, calendar, tx.now)
            change = _change(Action.RESUME, actor, request.result, end_tasks="")
            event = events.CaseResumed(suspended_days=suspended, promised_date=promised, statutory_date=statutory)
            return await self._desk.finish(tx, record, item, before, change, event)

        return await self._desk.run(command, work)

    async def extend(self, command: Command, request: rpc.ExtendCaseRequest) -> pb.Case:
        """Extends the limits, once."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            before = self._desk.move(record, facts_of(record), Action.EXTEND, actor.human)
            extension = Extension(request.days, request.reason, actor.subject)
            calendar = await self._desk.calendars.current()
            await self._deadlines.extend(tx, record, item, calendar, extension)
            promised, statutory = last_days(record, item, calendar, tx.now)
            change = _change(Action.EXTEND, actor, request.reason, end_tasks="")
            event = events.CaseExtended(
                days=request.days, reason=request.reason, promised_date=promised, statutory_date=statutory
            )
            return await self._desk.finish(tx, record, item, before, change, event)

        return await self._desk.run(command, work)

    async def decide(self, command: Command, request: rpc.DecideCaseRequest) -> pb.Case:
        """Decides; where that yields a licence, the event has it issued."""
        actor = current_call().actor
        outcome = Outcome(OUTCOME.name(request.outcome))
        check_reason(outcome, request.reason)
        asked: set[str] = set()
        printable: set[bytes] = set()
        await self._compare_parties(request, actor, outcome)

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            if record.state == CaseState.UNDER_REVIEW:
                self._ask_checks(command, record, item, asked)
            facts = facts_of(record, open_obligations=_not_arrived(record))
            before = self._desk.move(record, facts, Action.DECIDE, actor.human)
            record.decide_time, record.outcome, record.changed = tx.now, str(outcome), True
            former = parties.restate(record.content, request.restated_parties)
            record.content.decision.CopyFrom(
                pb.Decision(
                    outcome=request.outcome,
                    reason=request.reason,
                    decided_by=actor.subject,
                    decide_time=timestamp(tx.now),
                    evidence=request.evidence,
                    former_parties=former,
                )
            )
            yields = yields_license(outcome, item.content.license_type)
            if yields:
                self._licences.ask(record, item, printable)
            change = _change(Action.DECIDE, actor, request.reason, open_task="" if yields else "CLOSE")
            return await self._desk.finish(tx, record, item, before, change, decided_event(record, item, yields=yields))

        return await self._desk.run(command, work)

    async def _compare_parties(self, request: rpc.DecideCaseRequest, actor: Actor, outcome: Outcome) -> None:
        """Asks identity before the transaction; a repeat, which finds the case decided, asks nobody."""
        record = await self._desk.store.read(id_of(request.name))
        require_handler(actor, record)
        if record.state == CaseState.UNDER_REVIEW:
            await parties.compare(self._desk, record, outcome, request.restated_parties)

    def _ask_checks(self, command: Command, record: CaseRecord, item: ItemVersion, asked: set[str]) -> None:
        """Has tolerated materials that came after the acceptance checked, once a call."""
        promised = frozenset(each.material_code for each in record.content.obligations)
        waiting = unchecked(record, promised) if promised else []
        if not waiting or record.id in asked:
            return

        async def settle() -> None:
            asked.add(record.id)
            await self._checks.run(command, record, item, waiting, self._desk.uow.run)

        raise Outside(settle)

    async def close(self, command: Command, request: rpc.CloseCaseRequest) -> pb.Case:
        """Closes a decided case that waits for no licence."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            return await self.closed(tx, record, item, actor.subject, actor.department, request.note)

        return await self._desk.run(command, work)

    async def closed(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, actor: str, department: str, note: str
    ) -> pb.Case:
        """Closes a locked case."""
        yields = bool(record.outcome) and yields_license(Outcome(record.outcome), item.content.license_type)
        facts = facts_of(record, license_pending=yields and not record.license)
        before = self._desk.move(record, facts, Action.CLOSE)
        record.close_time = tx.now
        change = Change(Action.CLOSE, actor, department, note, open_task="DELIVER")
        event = events.CaseClosed(outcome=OUTCOME.number(record.outcome), license=record.license)
        return await self._desk.finish(tx, record, item, before, change, event)

    async def terminate(self, command: Command, request: rpc.TerminateCaseRequest) -> pb.Case:
        """Ends a case without a decision."""
        actor = current_call().actor

        async def work(tx: Transaction) -> pb.Case:
            record, item = await self._locked(tx, request, actor)
            before = self._desk.move(record, facts_of(record), Action.TERMINATE, actor.human)
            await self._deadlines.end(tx, record)
            record.end_time, record.content.end_reason, record.changed = tx.now, request.reason, True
            change = _change(Action.TERMINATE, actor, request.reason, end_tasks="CANCELLED")
            event = events.CaseTerminated(reason=request.reason)
            return await self._desk.finish(tx, record, item, before, change, event)

        return await self._desk.run(command, work)

    async def _locked(self, tx: Transaction, request: _Named, actor: Actor) -> tuple[CaseRecord, ItemVersion]:
        record = await self._desk.store.lock(tx.connection, id_of(request.name))
        require_handler(actor, record)
        check_etag(request.name, record.version, request.etag)
        return record, await self._desk.items.version(record.item)


def _change(action: Action, actor: Actor, note: str = "", *, end_tasks: str = "DONE", open_task: str = "") -> Change:
    return Change(action, actor.subject, actor.department, note, end_tasks, open_task)


def _not_arrived(record: CaseRecord) -> tuple[str, ...]:
    """Returns the tolerated materials that did not arrive, or arrived and were not found good."""
    still_open = open_codes(obligations_of(record))
    promised = frozenset(each.material_code for each in record.content.obligations)
    refused = tuple(each.reference.code for each in unchecked(record, promised)) if promised else ()
    return tuple(dict.fromkeys([*still_open, *refused]))
