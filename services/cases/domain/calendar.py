"""The working-day calendar (工作日历): a dated table of day kinds, and counting in it.

Periods of the administrative licensing law are working days (行政许可法 82). A day outside the table has no kind: it
raises ``CALENDAR_UNKNOWN``, nothing is guessed from the day of the week.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from itertools import pairwise

from libs.errors import FailedPrecondition, InvalidArgument, invalid_field

CHINA_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China's one time zone; no daylight saving since 1991, so a fixed offset is exact."""

_ONE_DAY = timedelta(days=1)


class DayKind(StrEnum):
    """Kinds of day, named as in ``tongban.cases.v1.DayKind``."""

    WORKDAY = "WORKDAY"
    WEEKEND = "WEEKEND"
    HOLIDAY = "HOLIDAY"
    SWAPPED_REST = "SWAPPED_REST"
    MAKE_UP_WORKDAY = "MAKE_UP_WORKDAY"

    @property
    def is_working(self) -> bool:
        """True for days that count in a period of working days."""
        return self in (DayKind.WORKDAY, DayKind.MAKE_UP_WORKDAY)


@dataclass(frozen=True, slots=True)
class DayRow:
    """One row of the table: a day, its kind, and the festival or reason."""

    day: date
    kind: DayKind
    note: str = ""


def local_day(moment: datetime) -> date:
    """Returns the day that an aware ``moment`` falls on in China.

    Raises:
        ValueError: the moment carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone has no day")
    return moment.astimezone(CHINA_TIME).date()


class Calendar:
    """Working days from a table without gaps. Counting takes constant time."""

    __slots__ = ("_cumulative", "_first", "_working")

    def __init__(self, rows: Iterable[DayRow]) -> None:
        """Builds the calendar.

        Raises:
            InvalidArgument: ``CALENDAR_INCOMPLETE``: the table is empty, has a gap or a day twice.
        """
        table = sorted(rows, key=lambda row: row.day)
        _require_contiguous(table)
        self._first = table[0].day
        self._working = tuple(row.day for row in table if row.kind.is_working)
        self._cumulative: list[int] = []
        count = 0
        for row in table:
            count += row.kind.is_working
            self._cumulative.append(count)

    @property
    def first_day(self) -> date:
        """The first day of the table."""
        return self._first

    @property
    def last_day(self) -> date:
        """The last day of the table."""
        return self._first + timedelta(days=len(self._cumulative) - 1)

    def is_working_day(self, day: date) -> bool:
        """True where ``day`` is worked. Raises ``CALENDAR_UNKNOWN`` outside the table."""
        through = self._through(day)
        return through > 0 and self._working[through - 1] == day

    def add(self, start: date, days: int) -> date:
        """Returns the day on which a period of ``days`` working days ends that begins with ``start`` as day 0.

        Day 0 is not counted (民法典 201). A period of 0 days ends on ``start``, or on the next working day where that is a
        rest day (民法典 203). Raises ``CALENDAR_UNKNOWN`` where the period leaves the table.
        """
        if days < 0:
            raise ValueError("a period has no negative length")
        through = self._through(start)
        if days == 0:
            days = 0 if self.is_working_day(start) else 1
        index = through + days - 1
        if index >= len(self._working):
            raise _unknown(self.last_day + _ONE_DAY)
        return self._working[index]

    def count(self, start: date, end: date) -> int:
        """Counts the working days after ``start`` up to and with ``end``; negative where ``end`` lies before it."""
        return self._through(end) - self._through(start)

    def _through(self, day: date) -> int:
        offset = (day - self._first).days
        if not 0 <= offset < len(self._cumulative):
            raise _unknown(day)
        return self._cumulative[offset]


def check_year(year: int, rows: Iterable[DayRow]) -> tuple[DayRow, ...]:
    """Returns the rows of one whole year in order.

    Raises:
        InvalidArgument: ``CALENDAR_INCOMPLETE``: a day is missing, double, or of another year.
    """
    table = sorted(rows, key=lambda row: row.day)
    _require_contiguous(table)
    for found, wanted in ((table[0].day, date(year, 1, 1)), (table[-1].day, date(year, 12, 31))):
        if found != wanted:
            raise _incomplete(found, f"the table of {year} must run from its first day to its last")
    return tuple(table)


def count_working_days(calendar: Calendar, start: date, end: date) -> int:
    """Counts as ``CountWorkingDays`` does: refuses an ``end`` before ``start`` with ``FIELD_INVALID``."""
    if end < start:
        raise invalid_field("end_date", "calendar.order", "must not be before start_date")
    return calendar.count(start, end)


def _require_contiguous(table: list[DayRow]) -> None:
    if not table:
        raise InvalidArgument("CALENDAR_INCOMPLETE", "the table of days is empty", date="")
    for before, after in pairwise(table):
        if after.day - before.day != _ONE_DAY:
            raise _incomplete(after.day, "the day before it is missing, or the day is there twice")


def _incomplete(day: date, message: str) -> InvalidArgument:
    return InvalidArgument("CALENDAR_INCOMPLETE", f"{day}: {message}", date=day.isoformat())


def _unknown(day: date) -> FailedPrecondition:
    return FailedPrecondition("CALENDAR_UNKNOWN", f"no calendar covers {day}", date=day.isoformat())
