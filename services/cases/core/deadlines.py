"""The clock of a case: between its row and the rules of ``core.clock``.

What is stored is what happened: when a period began, on which days it stood still, by how much it was extended. Every
deadline, count and colour that is told is derived from that by the calendar as it is now (decision 0024); the columns that
hold a deadline serve searching and sorting, and nobody is shown them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from libs.civil.calendar import CHINA_TIME, Calendar, local_day
from libs.db.uow import Transaction
from libs.errors import FailedPrecondition
from libs.rpc.messages import date_message
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import (
    CaseClock,
    ClockReading,
    Extension,
    HandlingLimits,
    SpecialProcedure,
    StandstillLedger,
    acceptance_clock,
)
from services.cases.core.items import ItemVersion
from services.cases.core.ledger import LedgerEntry, LedgerStore
from services.cases.core.steps import NO_DEADLINE
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

ACCEPTANCE, HANDLING = "ACCEPTANCE", "HANDLING"
ANSWER_DAYS = 15
"""Working days to answer a correction, where the notice doesn't say."""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What a case's clock is derived from.

    Attributes:
        clock_start: day 0 of the period that runs, or ran last; None before the first.
        accepted: whether that is the period of handling.
        standstills: the days on which it stopped and went on, in turn.
        extension_days: working days by which it was extended.
        ended: when it ended, or None.
    """

    clock_start: date | None
    accepted: bool
    standstills: Sequence[date]
    extension_days: int
    ended: datetime | None


def facts_of_clock(record: CaseRecord) -> ClockFacts:
    """Returns what the clock of a case is derived from."""
    return ClockFacts(
        record.clock_start,
        record.accept_time is not None,
        record.standstills,
        record.extension_days,
        record.decide_time or record.end_time,
    )


def clock_from(facts: ClockFacts, limits: HandlingLimits) -> CaseClock:
    """Builds the clock of the period that runs, or ran last; there must have been one."""
    assert facts.clock_start is not None
    ledger = StandstillLedger.of_days(facts.standstills)
    if not facts.accepted:
        return acceptance_clock(facts.clock_start, ledger)
    extension = Extension(facts.extension_days, "", "") if facts.extension_days else None
    return CaseClock(facts.clock_start, limits, ledger, extension)


def clock_of(record: CaseRecord, item: ItemVersion) -> CaseClock:
    """Builds the clock of a case that was submitted."""
    return clock_from(facts_of_clock(record), item.limits)


def reading_of(facts: ClockFacts, limits: HandlingLimits, calendar: Calendar, now: datetime) -> ClockReading | None:
    """Reads a clock now, or on the day on which it ended; None where none ran, or where no calendar reaches that far."""
    if facts.clock_start is None:
        return None
    try:
        return clock_from(facts, limits).read(calendar, local_day(facts.ended or now))
    except FailedPrecondition:  # the machine's clock is off by decades
        return None


def start(record: CaseRecord, day: date) -> None:
    """Starts a period with ``day`` as its day 0, or with that of the period before it if that is later."""
    record.clock_start = day if record.clock_start is None else max(day, record.clock_start)
    record.standstills = []


def note(record: CaseRecord, item: ItemVersion, calendar: Calendar, now: datetime) -> ClockReading | None:
    """Writes what searching and sorting need into a row that is about to be saved; returns the reading it is from."""
    facts = facts_of_clock(record)
    reading = reading_of(facts, item.limits, calendar, now)
    if reading is not None:
        record.due_date = reading.promised_deadline
        record.calendar_edition = 0 if facts.ended else calendar.edition
    return reading


def last_days(
    record: CaseRecord, item: ItemVersion, calendar: Calendar, now: datetime
) -> tuple[common_pb2.Date | None, common_pb2.Date | None]:
    """Returns the last day by promise and that by law of a running clock, as messages."""
    reading = reading_of(facts_of_clock(record), item.limits, calendar, now)
    if reading is None:
        return None, None
    return date_message(reading.promised_deadline), date_message(reading.statutory_deadline)


def correction_due(correction: pb.Correction, calendar: Calendar) -> date:
    """Returns the day until which the applicant should answer a correction."""
    asked = local_day(correction.request_time.ToDatetime(tzinfo=CHINA_TIME))
    return calendar.add(asked, correction.answer_limit.amount or ANSWER_DAYS)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Stops and starts clocks, with their ledger. Whoever calls it saves the case."""

    ledger: LedgerStore

    async def stop(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, procedure: SpecialProcedure, reason: str
    ) -> None:
        """Stops the clock; raises STATE_CONFLICT where it stands still."""
        record.standstills = clock_of(record, item).stop(local_day(tx.now), procedure).ledger.days()
        entry = LedgerEntry(phase_of(record), procedure, reason, tx.now)
        await self.ledger.stop(tx.connection, record.id, entry)

    async def go(self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> int:
        """Sets the clock going again; returns the working days that it stood still this time."""
        clock = clock_of(record, item).go(local_day(tx.now))
        record.standstills = clock.ledger.days()
        await self.ledger.go(tx.connection, record.id, tx.now)
        await self._move(tx, record, item, calendar)
        since, until = record.standstills[-2:]
        return calendar.count(since, until)

    async def begin_again(self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> int:
        """Starts the period of acceptance anew, with a correction that came today; returns the working days it took."""
        taken = await self.go(tx, record, item, calendar)
        start(record, local_day(tx.now))
        await self._move(tx, record, item, calendar)
        return taken

    async def _move(self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> None:
        note(record, item, calendar, tx.now)
        await self.ledger.move_tasks(tx.connection, record.id, record.due_date or NO_DEADLINE, tx.now)

    async def end(self, tx: Transaction, record: CaseRecord) -> None:
        """Ends the clock where it stands; the ledger gets no open interval."""
        if len(record.standstills) % 2:
            await self.ledger.go(tx.connection, record.id, tx.now)

    async def extend(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar, extension: Extension
    ) -> None:
        """Extends the limits; raises CASE_EXTENSION_NOT_ALLOWED."""
        clock_of(record, item).extend(extension, calendar, local_day(tx.now))
        record.extension_days = extension.days
        await self._move(tx, record, item, calendar)


def phase_of(record: CaseRecord) -> str:
    """Returns the period that runs, or ran last."""
    return HANDLING if record.accept_time else ACCEPTANCE
