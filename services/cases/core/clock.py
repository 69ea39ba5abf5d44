"""The deadline clock (时限): working days, a ledger of standstills, extension, warning lights.

All edges follow one convention: the day on which something begins is day 0 and not counted (民法典 201). So the day of
suspension still counts as run, and the day of resumption as stood still, just as the day of acceptance is not counted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from libs.civil.calendar import Calendar
from libs.errors import FailedPrecondition, reasons

ACCEPTANCE_DAYS = 5
"""Working days to tell everything that is missing; silence accepts (行政许可法 32)."""

MAX_EXTENSION_DAYS = 10
"""Working days by which a limit may be extended, once, with the head's approval and reasons (行政许可法 42)."""

YELLOW_DAYS = 2
"""The light is yellow when at most so many working days are left."""


class Light(StrEnum):
    """Warning lights (红黄绿灯)."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class SpecialProcedure(StrEnum):
    """Why a clock may stand still: the procedures of 行政许可法 45, and the applicant's own correction (补正)."""

    HEARING = "HEARING"
    TENDER = "TENDER"
    AUCTION = "AUCTION"
    INSPECTION = "INSPECTION"
    TESTING = "TESTING"
    QUARANTINE = "QUARANTINE"
    APPRAISAL = "APPRAISAL"
    EXPERT_REVIEW = "EXPERT_REVIEW"
    CORRECTION = "CORRECTION"


@dataclass(frozen=True, slots=True)
class Standstill:
    """An interval in which the clock stood still: after ``start``, up to and with ``end`` (None while it is open)."""

    start: date
    procedure: SpecialProcedure | None = None
    end: date | None = None

    def working_days(self, calendar: Calendar, today: date) -> int:
        """Counts the working days stood still; an open interval counts up to ``today``."""
        end = today if self.end is None else min(self.end, today)
        return max(0, calendar.count(self.start, end))


@dataclass(frozen=True, slots=True)
class StandstillLedger:
    """The standstills of one clock, oldest first; they never overlap and at most the last is open.

    Every ledger can be read, whatever the machine's clock did while it was written: an interval that would end before it
    begins is empty, and one that would begin before the last one's end begins there.
    """

    standstills: tuple[Standstill, ...] = ()

    def __post_init__(self) -> None:
        """Puts the intervals in order."""
        object.__setattr__(self, "standstills", tuple(_in_order(self.standstills)))

    @classmethod
    def of_days(cls, days: Iterable[date]) -> "StandstillLedger":
        """Builds a ledger from the days on which the clock stopped and went on, in turn."""
        listed = [*days]
        ends: list[date | None] = [*listed[1::2], None]
        return cls(tuple(Standstill(start, end=end) for start, end in zip(listed[::2], ends, strict=False)))

    def days(self) -> list[date]:
        """Returns the days on which the clock stopped and went on, in turn."""
        return [day for each in self.standstills for day in (each.start, each.end) if day is not None]

    @property
    def is_open(self) -> bool:
        """True while the clock stands still."""
        return bool(self.standstills) and self.standstills[-1].end is None

    def stop(self, day: date, procedure: SpecialProcedure | None = None) -> "StandstillLedger":
        """Returns the ledger with a standstill that begins on ``day``, or with the end of the last one if that is later.

        Raises ``STATE_CONFLICT`` while one is open.
        """
        if self.is_open:
            raise _clock_conflict("STOPPED", "RUNNING")
        return StandstillLedger((*self.standstills, Standstill(day, procedure)))

    def go(self, day: date) -> "StandstillLedger":
        """Returns the ledger with the open standstill ended on ``day``, or on its first day if that is later.

        Raises ``STATE_CONFLICT`` without one.
        """
        if not self.is_open:
            raise _clock_conflict("RUNNING", "STOPPED")
        return StandstillLedger((*self.standstills[:-1], replace(self.standstills[-1], end=day)))

    def working_days(self, calendar: Calendar, today: date) -> int:
        """Counts all working days stood still until ``today``."""
        return sum(standstill.working_days(calendar, today) for standstill in self.standstills)


def _in_order(standstills: tuple[Standstill, ...]) -> Iterator[Standstill]:
    earliest = date.min
    for each in standstills:
        start = max(each.start, earliest)
        earliest = start if each.end is None else max(start, each.end)
        yield replace(each, start=start, end=None if each.end is None else earliest)


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension of the limit: working days, the reason told to the applicant, the head who approved it."""

    days: int
    reason: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class HandlingLimits:
    """A period by law and as promised, in working days."""

    statutory_days: int
    promised_days: int


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a clock shows on one day.

    Attributes:
        statutory_deadline: the last day by law.
        promised_deadline: the last day by promise.
        suspended_days: working days stood still until the day.
        remaining_days: working days left until the promised deadline; negative where it is past.
        light: the colour.
    """

    statutory_deadline: date
    promised_deadline: date
    suspended_days: int
    remaining_days: int
    light: Light


@dataclass(frozen=True, slots=True)
class CaseClock:
    """One running period: from ``start`` (day 0), with its limits, its standstills and its extension."""

    start: date
    limits: HandlingLimits
    ledger: StandstillLedger = field(default_factory=StandstillLedger)
    extension: Extension | None = None

    def stop(self, day: date, procedure: SpecialProcedure | None = None) -> "CaseClock":
        """Returns the clock stopped on ``day``, or on its first day if that is later."""
        return replace(self, ledger=self.ledger.stop(max(day, self.start), procedure))

    def go(self, day: date) -> "CaseClock":
        """Returns the clock going again from ``day``."""
        return replace(self, ledger=self.ledger.go(day))

    def extend(self, extension: Extension, calendar: Calendar, today: date) -> "CaseClock":
        """Returns the clock with both limits extended (行政许可法 42): while the limit runs, never after it.

        Raises:
            FailedPrecondition: ``CASE_EXTENSION_NOT_ALLOWED`` with ``rule`` ``once``, ``days``, ``reason`` or ``expired``.
        """
        if self.extension is not None:
            raise _extension_refused("once", "the limit was extended before")
        if not 1 <= extension.days <= MAX_EXTENSION_DAYS:
            raise _extension_refused("days", f"a limit is extended by 1 to {MAX_EXTENSION_DAYS} working days")
        if not extension.reason.strip():
            raise _extension_refused("reason", "an extension needs a reason for the applicant")
        if today > self.deadline(calendar, self.limits.promised_days, today):
            raise _extension_refused("expired", "the limit is over: what is overdue stays overdue")
        return replace(self, extension=extension)

    def deadline(self, calendar: Calendar, limit_days: int, today: date) -> date:
        """Returns the last day of a limit of ``limit_days``, as known on ``today``.

        The days stood still and those of an extension are added to the day on which the limit would have ended, so that
        the deadline moves by exactly that many working days, also for a limit of 0 days that starts on a rest day. A
        standstill that began when the limit was over already moves nothing: what is overdue stays overdue.
        """
        extended = 0 if self.extension is None else self.extension.days
        deadline = calendar.add(self.start, limit_days)  # a working day: by no more days it stays where it is
        if extended:
            deadline = calendar.add(deadline, extended)
        for standstill in self.ledger.standstills:
            if standstill.start > deadline:
                break
            if stood := standstill.working_days(calendar, today):
                deadline = calendar.add(deadline, stood)
        return deadline

    def read(self, calendar: Calendar, today: date, yellow_days: int = YELLOW_DAYS) -> ClockReading:
        """Reads the clock on ``today``; for a period that is over, pass the day on which it ended.

        Raises:
            FailedPrecondition: ``CALENDAR_UNKNOWN``: the table doesn't reach the deadlines.
        """
        promised = self.deadline(calendar, self.limits.promised_days, today)
        remaining = calendar.count(today, promised)
        return ClockReading(
            statutory_deadline=self.deadline(calendar, self.limits.statutory_days, today),
            promised_deadline=promised,
            suspended_days=self.ledger.working_days(calendar, today),
            remaining_days=remaining,
            light=_light(today, promised, remaining, yellow_days),
        )


def acceptance_clock(received_on: date, ledger: StandstillLedger | None = None) -> CaseClock:
    """Returns the clock of the five days of acceptance (行政许可法 32), from the day of receipt.

    Once a correction was answered, that is the day on which the last of what was asked for came.
    """
    return CaseClock(received_on, HandlingLimits(ACCEPTANCE_DAYS, ACCEPTANCE_DAYS), ledger or StandstillLedger())


def is_deemed_accepted(clock: CaseClock, calendar: Calendar, today: date) -> bool:
    """True where the acceptance period is over with no word to the applicant: it is accepted by law.

    Never while the clock stands still. The handling clock then starts on the day of receipt (of the last full submission),
    not on ``today``.
    """
    return not clock.ledger.is_open and today > clock.deadline(calendar, ACCEPTANCE_DAYS, today)


def _light(today: date, deadline: date, remaining: int, yellow_days: int) -> Light:
    # By the date and not by the count: on a Saturday after a Friday's deadline no working day is lacking yet.
    if today > deadline:
        return Light.RED
    return Light.YELLOW if remaining <= yellow_days else Light.GREEN


def _clock_conflict(state: str, allowed: str) -> FailedPrecondition:
    return reasons.state_conflict(
        f"the clock is {state}; this needs {allowed}", resource="clock", state=state, allowed=allowed
    )


def _extension_refused(rule: str, message: str) -> FailedPrecondition:
    return reasons.case_extension_not_allowed(message, rule=rule)
