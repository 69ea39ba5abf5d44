"""What every use case of a case works with, and how a change is finished: row, step, event, news to other regions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from google.protobuf.message import Message

from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.command import Command
from libs.db.uow import Answer, Transaction, UnitOfWork
from services.cases.clients import Identity
from services.cases.convert import case_message, date_message, summary
from services.cases.domain.clock import Reading
from services.cases.domain.numbers import case_number
from services.cases.domain.states import Action, CaseFacts, CaseState, advance
from services.cases.store.calendars import CalendarStore
from services.cases.store.cases import CaseRecord, CaseStore, Step
from services.cases.store.items import ItemStore, ItemVersion
from services.cases.usecases import deadlines
from services.cases.usecases.news import News
from tongban.cases.v1 import exchange_service_pb2 as exchange
from tongban.cases.v1 import resources_pb2 as pb

_ATTEMPTS = 4


class Outside(Exception):
    """Something must be found out before the transaction can go on; it is rolled back, settled, and begun again."""

    def __init__(self, settle: Callable[[], Awaitable[None]]) -> None:
        super().__init__("must be settled outside of the transaction")
        self.settle = settle


@dataclass(frozen=True, slots=True)
class Change:
    """What an action means beside the new state.

    Attributes:
        action: what was done.
        actor: who did it.
        department: theirs, or empty.
        note: words for the applicant, for the history and for the other region's window.
        end_tasks: as in ``Step``.
        open_task: as in ``Step``.
        progress: what the other region's window is told beside state, action and note.
        number_day: the day of receipt, where the case gets its number now.
    """

    action: Action
    actor: str
    department: str = ""
    note: str = ""
    end_tasks: str = "DONE"
    open_task: str = ""
    progress: exchange.TransferProgress = field(default_factory=exchange.TransferProgress)
    number_day: date | None = None


class Desk:
    """The stores and rules that the use cases of cases share."""

    def __init__(
        self,
        uow: UnitOfWork,
        store: CaseStore,
        items: ItemStore,
        calendars: CalendarStore,
        identity: Identity,
        news: News,
        clock: Clock,
        region: str,
    ) -> None:
        self._clock = clock
        self.uow = uow
        self.store = store
        self.items = items
        self.calendars = calendars
        self.identity = identity
        self.news = news
        self.region = region

    def today(self) -> date:
        """Returns the day by the business clock."""
        return local_day(self._clock.now())

    async def run(self, command: Command, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """Runs a command whose work may ask for something outside of its transaction."""
        for _ in range(_ATTEMPTS):
            try:
                answer = await self.uow.run(command, work)
            except Outside as needed:
                await needed.settle()
                continue
            self.news.wake()
            return answer
        raise RuntimeError("what was settled outside did not satisfy the work")

    async def message(self, record: CaseRecord, item: ItemVersion, now: datetime, *, whole: bool = True) -> pb.Case:
        """Builds the message of a case, its deadlines derived from the calendar as it is."""
        reading = None
        if record.clock_start is not None:
            calendar = await self.calendars.current()
            reading = deadlines.reading_of(deadlines.facts_of_clock(record), item.limits, calendar, now)
        return await self._shown(record, item, reading, whole=whole)

    async def _shown(
        self, record: CaseRecord, item: ItemVersion, reading: Reading | None, *, whole: bool = True
    ) -> pb.Case:
        message = case_message(record, item.content.display_name, item.number, reading, whole=whole)
        if message.HasField("correction"):
            due = deadlines.correction_due(message.correction, await self.calendars.current())
            message.correction.MergeFrom(pb.Correction(due_date=date_message(due)))
        return message

    def move(self, record: CaseRecord, facts: CaseFacts, action: Action, human: str = "") -> str:
        """Moves a case to its next state; returns the one before. Raises what the state machine raises.

        ``human`` is the human being who acts, where duties are separated by it.
        """
        before = record.state
        record.state = str(advance(facts, action, human))
        return before

    async def finish(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, before: str, change: Change, event: Message
    ) -> pb.Case:
        """Writes a changed case with its step, tasks, event, and the news to the region that sent it.

        ``event`` is a message of the contract's events whose field ``case`` is filled in here.
        """
        record.steps += 1
        record.update_time = tx.now
        reading = None
        if record.clock_start is not None:
            reading = deadlines.note(record, item, await self.calendars.current(), tx.now)
        step = Step(
            str(change.action), before, change.actor, change.department, change.note, change.end_tasks, change.open_task
        )
        if change.number_day is None:
            await self.store.save(tx.connection, record, step)
        else:
            sequence = await self.store.save_numbered(tx.connection, record, step, change.number_day)
            record.number = case_number(record.task_code, change.number_day, sequence)
        tell(tx, record, item, change.actor, event)
        if record.transfer and change.action is not Action.SUBMIT:  # the acknowledgement tells of that
            promised = reading.promised_deadline if reading and record.accept_time else None
            await self.news.progress(tx, record, str(change.action), change.note, change.progress, promised)
        return await self._shown(record, item, reading)


def tell(tx: Transaction, record: CaseRecord, item: ItemVersion, actor: str, event: Message) -> None:
    """Puts an event of a case into the outbox, its summary filled in."""
    told = summary(record, item.content.display_name, actor, tx.now)
    told.license_type_codes.extend(sorted({each.license_type_code for each in item.content.materials} - {""}))
    told.legal_basis = item.content.legal_basis
    event.case.CopyFrom(told)  # type: ignore[attr-defined]
    tx.emit(record.name, event)


def facts_of(record: CaseRecord, **more: object) -> CaseFacts:
    """Builds what the state machine needs to know of a case."""
    return CaseFacts(
        name=record.name,
        state=CaseState(record.state),
        received_by=record.received_human,
        accepted_by=record.accepted_human,
        correction_asked=record.content.HasField("correction"),
        **more,  # type: ignore[arg-type]
    )
