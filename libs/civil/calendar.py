"""The working-day calendar (工作日历): dated tables of day kinds, and counting in them.

Periods of the administrative licensing law are working days (行政许可法 82), and which days work is settled year by year:
the State Council's notice appears about November for the next year, while periods reach into that year before. So a year
without a notice is counted **provisionally** (decisions 0024, 0037): Monday to Friday work but for the holidays that have a
fixed date by law. Nobody is refused for want of a notice, and what was counted provisionally is counted anew once it is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from types import MappingProxyType

from libs.errors import FailedPrecondition, InvalidArgument, Violation, reasons

CHINA_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China's one time zone; no daylight saving since 1991, so a fixed offset is exact."""

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""The years that are counted in; a machine whose clock says less or more has none."""

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_MAY_2_SINCE = 2025
_FIXED = frozenset({(1, 1), (5, 1), (10, 1), (10, 2), (10, 3)})


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


class CalendarBasis(StrEnum):
    """What the days of a year rest on, named as in ``tongban.cases.v1.CalendarBasis``."""

    NOTICE = "NOTICE"
    PROVISIONAL = "PROVISIONAL"


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


def is_weekend(day: date) -> bool:
    """True for Saturdays and Sundays."""
    return day.weekday() >= _SATURDAY


def is_fixed_holiday(day: date) -> bool:
    """True for the public holidays whose date the law itself fixes (全国年节及纪念日放假办法 2, as of 2025)."""
    return (day.month, day.day) in _FIXED or ((day.month, day.day) == (5, 2) and day.year >= _MAY_2_SINCE)


def days_of_year(year: int) -> tuple[date, ...]:
    """Returns every day of ``year``, in order."""
    first = date(year, 1, 1)
    return tuple(first + timedelta(days=offset) for offset in range((date(year, 12, 31) - first).days + 1))


def provisional_rows(year: int) -> tuple[DayRow, ...]:
    """Returns a year as it is counted before its notice is there."""
    return tuple(DayRow(day, _provisional_kind(day)) for day in days_of_year(year))


def _provisional_kind(day: date) -> DayKind:
    if is_fixed_holiday(day):
        return DayKind.HOLIDAY
    return DayKind.WEEKEND if is_weekend(day) else DayKind.WORKDAY


def check_year(year: int, rows: Iterable[DayRow]) -> tuple[DayRow, ...]:
    """Returns the rows of one whole year in order.

    Raises:
        InvalidArgument: ``CALENDAR_INCOMPLETE``: a day is missing, double, or of another year.
    """
    table = tuple(sorted(rows, key=lambda row: row.day))
    for place, day in enumerate(days_of_year(year)):
        if place >= len(table) or table[place].day != day:
            raise _incomplete(day, "is missing")
    if len(table) > len(days_of_year(year)):
        raise _incomplete(table[-1].day, "is there twice, or of another year")
    return table


class _Year:
    """One year's working days, and how many of them have passed on each of its days."""

    __slots__ = ("before", "through", "working")

    def __init__(self, year: int, rows: Iterable[DayRow]) -> None:
        self.before = date(year, 1, 1).toordinal()
        self.working: list[date] = []
        self.through: list[int] = []
        for row in rows:
            if row.kind.is_working:
                self.working.append(row.day)
            self.through.append(len(self.working))


class Calendar:
    """Working days by year, whether known by a notice or provisional. Counting takes constant time a year."""

    __slots__ = ("_years", "edition", "known_years", "settled_years")

    def __init__(self, rows: Iterable[DayRow], edition: int = 0, provisional: Iterable[int] = ()) -> None:
        """Builds the calendar.

        Args:
            rows: the days of whole years, in any order; years need not adjoin.
            edition: a number that grows with every import, so that what was counted on an earlier one can be told.
            provisional: the years of these that no notice settled.

        Raises:
            InvalidArgument: ``CALENDAR_INCOMPLETE``: there is no year, or one is not whole.
        """
        by_year: dict[int, list[DayRow]] = {}
        for row in rows:
            by_year.setdefault(row.day.year, []).append(row)
        if not by_year:
            raise reasons.calendar_incomplete("the table of days is empty", date="")
        self.edition = edition
        self._years = {year: _Year(year, check_year(year, found)) for year, found in by_year.items()}
        self.known_years = frozenset(by_year)
        """The years that are there, by a notice or entered provisionally."""
        self.settled_years = self.known_years - frozenset(provisional)
        """The years that a notice settled."""

    def is_settled(self, start: date, end: date) -> bool:
        """True where a notice covers every day from ``start`` to ``end``."""
        return self.settled_years.issuperset(range(start.year, end.year + 1))

    def is_working_day(self, day: date) -> bool:
        """True where ``day`` is worked. Raises ``CALENDAR_UNKNOWN`` before ``FIRST_YEAR`` and after ``LAST_YEAR``."""
        year, through = self._at(day)
        return through > 0 and year.working[through - 1] == day

    def add(self, start: date, days: int) -> date:
        """Returns the day on which a period of ``days`` working days ends that begins with ``start`` as day 0.

        Day 0 is not counted (民法典 201). A period of 0 days ends on ``start``, or on the next working day where that is a
        rest day (民法典 203). Raises ``CALENDAR_UNKNOWN`` as ``is_working_day`` does.
        """
        if days < 0:
            raise ValueError("a period has no negative length")
        year, through = self._at(start)
        if days == 0:
            days = 0 if self.is_working_day(start) else 1
        index, number = through + days - 1, start.year
        while index >= len(year.working):
            index -= len(year.working)
            number += 1
            year = self._year(date(number, 1, 1))
        return year.working[index]

    def count(self, start: date, end: date) -> int:
        """Counts the working days after ``start`` up to and with ``end``; negative where ``end`` lies before it."""
        if end < start:
            return -self.count(end, start)
        passed = self._at(end)[1] - self._at(start)[1]
        for year in range(start.year, end.year):
            passed += len(self._year(date(year, 1, 1)).working)
        return passed

    def _at(self, day: date) -> tuple[_Year, int]:
        """Returns a day's year, and how many of its working days have passed with that day."""
        year = self._year(day)
        return year, year.through[day.toordinal() - year.before]

    def _year(self, day: date) -> _Year:
        found = self._years.get(day.year)
        if found is None:
            if not FIRST_YEAR <= day.year <= LAST_YEAR:
                raise unknown(day)
            found = self._years[day.year] = _Year(day.year, provisional_rows(day.year))
        return found


KINDS_BY_WEEKDAY: Mapping[DayKind, bool] = MappingProxyType(
    {DayKind.WORKDAY: False, DayKind.SWAPPED_REST: False, DayKind.WEEKEND: True, DayKind.MAKE_UP_WORKDAY: True}
)
"""Whether a kind of day can only be a Saturday or Sunday, or only be none; a holiday may be either."""


def _incomplete(day: date, what: str) -> InvalidArgument:
    violation = Violation("days", "calendar.whole_year", f"{day} {what}")
    return reasons.calendar_incomplete(
        "the table must hold every day of the year once",
        violations=(violation,),
        date=day.isoformat(),
    )


def unknown(day: date) -> FailedPrecondition:
    """Builds the error for a day of a year that is not there, where no guess is wanted or possible."""
    return reasons.calendar_unknown(f"no calendar covers {day}", date=day.isoformat())
