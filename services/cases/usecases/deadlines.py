"""The clock of a case: between its row with its ledger and the rules of ``domain.clock``."""

from collections.abc import Sequence
from datetime import date, datetime

from libs.civil.calendar import Calendar, local_day
from libs.db.uow import Transaction
from libs.rpc.timestamps import timestamp
from services.cases.convert import LIGHT, PROCEDURE, date_message, is_over, last_clock_day
from services.cases.domain.clock import (
    Clock,
    Extension,
    Ledger,
    Limits,
    SpecialProcedure,
    Standstill,
    acceptance_clock,
)
from services.cases.store.cases import CaseRecord, CaseStore, StandstillRow
from services.cases.store.items import ItemVersion
from tongban.cases.v1 import resources_pb2 as pb

ACCEPTANCE, HANDLING = "ACCEPTANCE", "HANDLING"


def phase_of(record: CaseRecord) -> str:
    """Returns the period that runs, or ran last."""
    return HANDLING if record.accept_time else ACCEPTANCE


def clock_of(record: CaseRecord, ledger: Sequence[StandstillRow], item: ItemVersion) -> Clock:
    """Builds the clock of the period that runs, or ran last; the case must have been submitted."""
    assert record.clock_start is not None
    standstills = tuple(
        Standstill(local_day(row.start_time), SpecialProcedure(row.procedure), local_day(row.end_time) if row.end_time else None)
        for row in ledger if row.phase == phase_of(record)
    )  # fmt: skip
    if record.accept_time is None:
        return acceptance_clock(record.clock_start, Ledger(standstills))
    extension = Extension(record.extension_days, "", "") if record.extension_days else None
    return Clock(record.clock_start, item.limits, Ledger(standstills), extension)


def start(record: CaseRecord, calendar: Calendar, day: date, limits: Limits | None = None) -> None:
    """Starts a period with ``day`` as its day 0: that of acceptance, or the item's where ``limits`` are given."""
    clock = acceptance_clock(day) if limits is None else Clock(day, limits)
    record.clock_start, record.stopped_on = day, None
    _take(record, clock, calendar, day)


def _take(record: CaseRecord, clock: Clock, calendar: Calendar, day: date) -> None:
    reading = clock.read(calendar, day)
    record.due_date, record.statutory_date = reading.promised_deadline, reading.statutory_deadline


class Deadlines:
    """Stops and starts clocks, with their ledger."""

    def __init__(self, store: CaseStore) -> None:
        self._store = store

    async def stop(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, procedure: SpecialProcedure, reason: str
    ) -> None:
        """Stops the clock; raises STATE_CONFLICT where it stands still."""
        ledger = await self._store.ledger(tx.connection, record.id)
        clock_of(record, ledger, item).stop(local_day(tx.now), procedure)
        row = StandstillRow(len(ledger) + 1, phase_of(record), str(procedure), reason, tx.now, None)
        await self._store.stop(tx.connection, record.id, row)
        record.stopped_on = local_day(tx.now)

    async def go(self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar) -> int:
        """Sets the clock going again; returns the working days that it stood still this time."""
        day, since = local_day(tx.now), record.stopped_on
        clock = clock_of(record, await self._store.ledger(tx.connection, record.id), item).go(day)
        await self._store.go(tx.connection, record.id, tx.now)
        record.stopped_on = None
        _take(record, clock, calendar, day)
        await self._store.move_tasks(tx.connection, record, tx.now)
        assert since is not None
        return calendar.count(since, day)

    async def end(self, tx: Transaction, record: CaseRecord) -> None:
        """Ends the clock where it stands; the row keeps the deadline, the ledger gets no open interval."""
        if record.stopped_on is not None:
            await self._store.go(tx.connection, record.id, tx.now)

    async def extend(
        self, tx: Transaction, record: CaseRecord, item: ItemVersion, calendar: Calendar, extension: Extension
    ) -> None:
        """Extends the limits; raises CASE_EXTENSION_NOT_ALLOWED."""
        ledger = await self._store.ledger(tx.connection, record.id)
        clock = clock_of(record, ledger, item).extend(extension)
        record.extension_days = extension.days
        _take(record, clock, calendar, local_day(tx.now))
        await self._store.move_tasks(tx.connection, record, tx.now)


def clock_message(
    record: CaseRecord, ledger: Sequence[StandstillRow], item: ItemVersion, calendar: Calendar | None, now: datetime
) -> pb.Clock:
    """Reads the clock of a case; ``calendar`` is needed unless the case never was submitted."""
    day = last_clock_day(record, local_day(now))
    message = pb.Clock(name=f"{record.name}/clock", phase=pb.CLOCK_PHASE_NOT_STARTED, as_of_date=date_message(day))
    if record.clock_start is None or calendar is None:
        if is_over(record):
            message.phase = pb.CLOCK_PHASE_ENDED
        return message
    clock = clock_of(record, ledger, item)
    reading = clock.read(calendar, day)
    phases = {ACCEPTANCE: pb.CLOCK_PHASE_ACCEPTANCE, HANDLING: pb.CLOCK_PHASE_HANDLING}
    over = is_over(record)
    message.MergeFrom(pb.Clock(
        running=not over and not clock.ledger.is_open, start_date=date_message(clock.start),
        statutory_limit_days=clock.limits.statutory_days, promised_limit_days=clock.limits.promised_days,
        suspended_days=reading.suspended_days, extension_days=record.extension_days,
        statutory_deadline=date_message(reading.statutory_deadline),
        promised_deadline=date_message(reading.promised_deadline), remaining_days=reading.remaining_days,
        light=LIGHT.number(str(reading.light)),
        provisional=not calendar.knows(clock.start, max(reading.statutory_deadline, reading.promised_deadline)),
    ))  # fmt: skip
    message.phase = pb.CLOCK_PHASE_ENDED if over else phases[phase_of(record)]
    message.suspensions.extend(_suspension(row) for row in ledger)
    return message


def _suspension(row: StandstillRow) -> pb.Suspension:
    return pb.Suspension(
        procedure=PROCEDURE.number(row.procedure), reason=row.reason, start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
    )  # fmt: skip
