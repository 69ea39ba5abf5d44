"""How a case is changed: taken up, moved to its next state, and written with its step, its tasks and its event."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from google.protobuf.message import Message

from libs.access.actor import Actor
from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.etag import check_etag
from libs.db.uow import Transaction
from libs.rpc.messages import date_message
from services.cases.core import deadlines
from services.cases.core.access import require_handler
from services.cases.core.calendars import CalendarStore
from services.cases.core.cases import CaseRecord, CaseStore
from services.cases.core.clock import ClockReading
from services.cases.core.items import ItemStore, ItemVersion
from services.cases.core.messages import case_message, summary
from services.cases.core.numbers import case_number
from services.cases.core.progress import ProgressReports
from services.cases.core.states import CaseAction, CaseFacts, CaseState, advance
from services.cases.core.steps import CaseStep, StepWriter
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb


@dataclass(frozen=True, slots=True)
class CaseChange:
    """What an action means beside the new state.

    Attributes:
        action: what was done.
        actor: who did it.
        department: theirs, or empty.
        note: words for the applicant, for the history and for the other region's window.
        end_tasks: as in ``CaseStep``.
        open_task: as in ``CaseStep``.
        progress: what the other region's window is told beside state, action and note.
        number_day: the day of receipt, where the case gets its number now.
    """

    action: CaseAction
    actor: str
    department: str = ""
    note: str = ""
    end_tasks: str = "DONE"
    open_task: str = ""
    progress: exchange.TransferProgress = field(default_factory=exchange.TransferProgress)
    number_day: date | None = None


@dataclass(slots=True)
class AskedBefore:
    """What was asked for in this call already: sets of materials, and licences. Each is asked for once a call.

    ``changes`` is how often the call itself has changed the case by that: what its caller saw was changed by nobody else.
    """

    materials: set[bytes] = field(default_factory=set)
    licenses: set[bytes] = field(default_factory=set)
    changes: int = 0


class CaseRequest(Protocol):
    """A request that names a case, and may say as what it was seen."""

    @property
    def name(self) -> str:
        """The case's name."""

    @property
    def etag(self) -> str:
        """What it was when it was seen, or empty."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """The pieces by which cases are changed.

    Attributes:
        steps: writes cases.
        reports: tells the region that sent a case.
    """

    clock: Clock
    cases: CaseStore
    steps: StepWriter
    items: ItemStore
    calendars: CalendarStore
    reports: ProgressReports

    def today(self) -> date:
        """Returns the day by the business clock."""
        return local_day(self.clock.now())

    async def locked(self, tx: Transaction, name: str) -> tuple[CaseRecord, ItemVersion]:
        """Reads a case with its item and keeps others from changing it; raises NotFound."""
        record = await self.cases.lock(tx.connection, name)
        return record, await self.items.version(record.item)

    async def taken_up(
        self, tx: Transaction, request: CaseRequest, actor: Actor, own_changes: int = 0
    ) -> tuple[CaseRecord, ItemVersion]:
        """Locks a case with its item for staff of its department; the call itself has changed it ``own_changes`` times.

        Raises:
            NotFound: RESOURCE_NOT_FOUND.
            PermissionDenied: ACTOR_NOT_ALLOWED, NOT_OWNER, ACTING_ON_SELF.
            Aborted: ETAG_MISMATCH.
        """
        record = await self.cases.lock(tx.connection, request.name)
        require_handler(actor, record)
        check_etag(request.name, record.version - own_changes, request.etag)
        return record, await self.items.version(record.item)

    async def message(self, record: CaseRecord, item: ItemVersion, now: datetime, *, whole: bool = True) -> pb.Case:
        """Builds the message of a case, its deadlines derived from the calendar as it is."""
        reading = None
        if record.clock_start is not None:
            calendar = await self.calendars.current()
            reading = deadlines.reading_of(deadlines.facts_of_clock(record), item.limits, calendar, now)
        return await self._shown(record, item, reading, whole=whole)

    async def _shown(
        self, record: CaseRecord, item: ItemVersion, reading: ClockReading | None, *, whole: bool = True
    ) -> pb.Case:
        message = case_message(record, item, reading, whole=whole)
        for asked in message.corrections:
            due = deadlines.correction_due(asked, await self.calendars.current())
            asked.MergeFrom(pb.Correction(due_date=date_message(due)))
        return message

    async def finish(
        self,
        tx: Transaction,
        record: CaseRecord,
        item: ItemVersion,
        before: CaseState,
        change: CaseChange,
        event: Message,
    ) -> pb.Case:
        """Writes a changed case with its step, tasks, event, and the report to the region that sent it.

        ``event`` is a message of the contract's events whose field ``case`` is filled in here.
        """
        record.steps += 1
        record.update_time = tx.now
        reading = None
        if record.clock_start is not None:
            reading = deadlines.note(record, item, await self.calendars.current(), tx.now)
        await self._write(tx, record, before, change)
        tell(tx, record, item, change.actor, event)
        if record.transfer and change.action is not CaseAction.SUBMIT:  # the acknowledgement tells of that
            promised = reading.promised_deadline if reading and record.accept_time else None
            await self.reports.report(tx, record, change.action, change.note, change.progress, promised)
        return await self._shown(record, item, reading)

    async def _write(self, tx: Transaction, record: CaseRecord, before: CaseState, change: CaseChange) -> None:
        step = CaseStep(
            change.action, before, change.actor, change.department, change.note, change.end_tasks, change.open_task
        )
        if change.number_day is None:
            await self.steps.change(tx.connection, record, step)
            return
        sequence = await self.steps.number(tx.connection, record, step, change.number_day)
        record.number = case_number(record.task_code, change.number_day, sequence)


def move(record: CaseRecord, facts: CaseFacts, action: CaseAction, human: str = "") -> CaseState:
    """Moves a case to its next state; returns the one before. Raises what the state machine raises.

    ``human`` is the human being who acts, where duties are separated by it.
    """
    before = record.state
    record.state = advance(facts, action, human)
    return before


def tell(tx: Transaction, record: CaseRecord, item: ItemVersion, actor: str, event: Message) -> None:
    """Puts an event of a case into the outbox, its summary filled in."""
    event.case.CopyFrom(summary(record, item, actor, tx.now))  # type: ignore[attr-defined]
    tx.emit(record.name, event)


def changed_by(
    actor: Actor, action: CaseAction, note: str = "", *, end_tasks: str = "DONE", open_task: str = ""
) -> CaseChange:
    """Returns what an action of staff means beside the new state."""
    return CaseChange(action, actor.subject, actor.department, note, end_tasks, open_task)
