"""The clock of a case as a message."""

from collections.abc import Sequence
from datetime import date, datetime

from libs.civil.calendar import Calendar, local_day
from libs.rpc.messages import date_message, timestamp, working_days
from services.cases.core.cases import CaseRecord
from services.cases.core.clock import CaseClock
from services.cases.core.deadlines import ACCEPTANCE, HANDLING, clock_from, facts_of_clock, phase_of
from services.cases.core.items import ItemVersion
from services.cases.core.ledger import LedgerEntry
from services.cases.core.messages import LIGHTS, PROCEDURES
from tongban.cases.v1 import resources_pb2 as pb


def clock_message(
    record: CaseRecord, ledger: Sequence[LedgerEntry], item: ItemVersion, calendar: Calendar, now: datetime
) -> pb.Clock:
    """Reads the clock of a case, with every interval in which it stood still."""
    facts = facts_of_clock(record)
    day = local_day(facts.ended or now)
    message = pb.Clock(name=f"{record.name}/clock", phase=pb.CLOCK_PHASE_NOT_STARTED, as_of_date=date_message(day))
    if facts.clock_start is not None:
        phases = {ACCEPTANCE: pb.CLOCK_PHASE_ACCEPTANCE, HANDLING: pb.CLOCK_PHASE_HANDLING}
        message.phase = phases[phase_of(record)]
        _fill(message, clock_from(facts, item.limits), calendar, day)
    message.suspensions.extend(_suspension(row) for row in ledger)
    if facts.ended:
        message.phase, message.running = pb.CLOCK_PHASE_ENDED, False
    return message


def _fill(message: pb.Clock, clock: CaseClock, calendar: Calendar, day: date) -> None:
    reading = clock.read(calendar, day)
    last = max(reading.statutory_deadline, reading.promised_deadline)
    message.MergeFrom(
        pb.Clock(
            running=not clock.ledger.is_open,
            start_date=date_message(clock.start),
            statutory_limit=working_days(clock.limits.statutory_days),
            promised_limit=working_days(clock.limits.promised_days),
            suspended_days=reading.suspended_days,
            extension=working_days(clock.extension.days) if clock.extension else None,
            statutory_date=date_message(reading.statutory_deadline),
            promised_date=date_message(reading.promised_deadline),
            remaining_days=reading.remaining_days,
            light=LIGHTS.number(reading.light),
            provisional=not calendar.is_settled(clock.start, last),
        )
    )


def _suspension(row: LedgerEntry) -> pb.Suspension:
    return pb.Suspension(
        procedure=PROCEDURES.number(row.procedure),
        reason=row.reason,
        start_time=timestamp(row.start_time),
        end_time=timestamp(row.end_time),
    )
