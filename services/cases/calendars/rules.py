"""What an import of a year must be, and counting for those who ask: the rules of CalendarService."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from libs.civil.calendar import (
    KINDS_BY_WEEKDAY,
    Calendar,
    CalendarBasis,
    DayRow,
    check_year,
    is_fixed_holiday,
    is_weekend,
    unknown,
)
from libs.civil.festivals import Festival, year_of
from libs.errors import FailedPrecondition, Violation, invalid_field, reasons

PROVISIONAL_SOURCE = "全国年节及纪念日放假办法第二条(通知发布前暂行)"
"""What ``Calendar.source`` says of a year that was entered before its notice."""

_FEWEST, _MOST = 235, 265
"""Bounds of a year's working days; notices give 245 to 252, the weekly pattern alone gives up to 262."""
_LONGEST = timedelta(days=15)
"""How much later than its first day a festival's last may be; the longest so far took nine days."""
_NAMED = 20
"""So many broken days are named at most."""


@dataclass(frozen=True, slots=True)
class GivenDay:
    """A day as an import gives it, and the field that says so."""

    row: DayRow
    field: str


def days_given(rows: Sequence[DayRow]) -> list[GivenDay]:
    """Returns a year that is given day by day."""
    return [GivenDay(row, f"days[{place}].kind") for place, row in enumerate(rows)]


def festivals_given(year: int, festivals: Sequence[Festival]) -> list[GivenDay]:
    """Returns a year that is given as its notice states it.

    Raises:
        InvalidArgument: ``FIELD_INVALID`` with every rule that is broken: a festival that ends before it begins or lasts too
            long, a day of another year or in two festivals, a swapped day that is not off, a worked one that is.
    """
    if broken := [*_length_violations(festivals)]:
        raise reasons.field_invalid("a festival has no such length", violations=tuple(broken))
    named = [each for place, festival in enumerate(festivals) for each in _days_named(place, festival)]
    if broken := [*_naming_violations(year, named), *_swap_violations(festivals)]:
        raise reasons.field_invalid(
            "the festivals are no year's; nothing was changed", violations=tuple(broken[:_NAMED])
        )
    fields = {each.row.day: each.field for each in named}
    return [GivenDay(row, fields.get(row.day, "festivals")) for row in year_of(year, festivals)]


def _length_violations(festivals: Sequence[Festival]) -> Iterator[Violation]:
    for place, each in enumerate(festivals):
        field = f"festivals[{place}].end_date"
        if each.last_day < each.first_day:
            yield Violation(field, "calendar.order", "must not be before start_date")
        elif each.last_day - each.first_day > _LONGEST:
            yield Violation(field, "calendar.length", f"must be at most {_LONGEST.days} days after start_date")


def _days_named(place: int, festival: Festival) -> Iterator[GivenDay]:
    worked = {day: f"make_up_dates[{at}]" for at, day in enumerate(festival.make_up_workdays)}
    swapped = {day: f"swapped_dates[{at}]" for at, day in enumerate(festival.swapped_days)}
    for row in festival.rows():
        part = worked.get(row.day) if row.kind.is_working else swapped.get(row.day)
        yield GivenDay(row, f"festivals[{place}].{part or 'start_date'}")


def _naming_violations(year: int, named: Iterable[GivenDay]) -> Iterator[Violation]:
    seen: dict[date, str] = {}
    for each in named:
        day = each.row.day
        if day.year != year:
            yield Violation(each.field, "calendar.year", f"{day} is of another year, and belongs to that")
        elif day in seen:
            yield Violation(each.field, "calendar.once", f"{day} stands in {seen[day]} too")
        seen[day] = each.field


def _swap_violations(festivals: Sequence[Festival]) -> Iterator[Violation]:
    for place, each in enumerate(festivals):
        off = each.days_off()
        for at, day in enumerate(each.swapped_days):
            if day not in off:
                yield Violation(f"festivals[{place}].swapped_dates[{at}]", "calendar.swapped", f"{day} is not off")


def check_import(year: int, given: Sequence[GivenDay], source: str, known: Iterable[int]) -> tuple[DayRow, ...]:
    """Looks at a year as a whole before it counts; returns its rows in order.

    Args:
        year: the year.
        given: its days, in any order.
        source: the published notice that they come from.
        known: the years that are there already.

    Raises:
        InvalidArgument: ``CALENDAR_INCOMPLETE``: a day is missing, double, or of another year; ``FIELD_INVALID`` with
            every rule that is broken: a year that doesn't adjoin those that are there, no notice named, a kind that its
            weekday can't have, a fixed holiday that is worked, a year with too many or too few working days.
    """
    table = check_year(year, (each.row for each in given))
    broken = (
        *_year_violations(year, known),
        *_source_violations(source),
        *_day_violations(given),
        *_sum_violations(table),
    )
    if broken:
        raise reasons.field_invalid("the year can't be imported; nothing was changed", violations=broken)
    return table


def check_provisional(year: int, known: Mapping[int, CalendarBasis]) -> None:
    """Looks whether a year may be entered before its notice.

    Raises:
        InvalidArgument: ``FIELD_INVALID``: it doesn't adjoin those that are there.
        FailedPrecondition: ``STATE_CONFLICT``: it is there.
    """
    if year in known:
        what = "provisionally" if known[year] is CalendarBasis.PROVISIONAL else "by its notice"
        raise reasons.state_conflict(
            f"the calendar of {year} is there {what}",
            resource=f"calendars/{year}",
            state=known[year],
            allowed="MISSING",
        )
    if broken := tuple(_year_violations(year, known)):
        raise reasons.field_invalid("the year can't be entered; nothing was changed", violations=broken)


def _year_violations(year: int, known: Iterable[int]) -> Iterator[Violation]:
    years = sorted(known)
    if years and not years[0] - 1 <= year <= years[-1] + 1:
        missing = years[-1] + 1 if year > years[-1] else years[0] - 1
        yield Violation("year", "calendar.contiguous", f"the calendar of {missing} must be imported first")


def _source_violations(source: str) -> Iterator[Violation]:
    if not source.strip():
        yield Violation("source", "calendar.notice", "must name the published notice")


def _day_violations(given: Sequence[GivenDay]) -> Iterator[Violation]:
    found = 0
    for each in given:
        row, weekend = each.row, KINDS_BY_WEEKDAY.get(each.row.kind)
        if weekend is not None and weekend != is_weekend(row.day):
            found += 1
            yield Violation(each.field, "calendar.weekday", f"{row.day} can't be a {row.kind}")
        elif row.kind.is_working and is_fixed_holiday(row.day):
            found += 1
            yield Violation(each.field, "calendar.fixed_holiday", f"{row.day} is a public holiday by law")
        if found >= _NAMED:
            return


def _sum_violations(table: Sequence[DayRow]) -> Iterator[Violation]:
    working = sum(row.kind.is_working for row in table)
    if not _FEWEST <= working <= _MOST:
        yield Violation("days", "calendar.working_days", f"{working} working days are not those of a year")


def changed_days(before: Sequence[DayRow], after: Sequence[DayRow]) -> int:
    """Returns how many days of a year are worked in one revision and not in the other; 0 where there was none before."""
    return sum(old.kind.is_working != new.kind.is_working for old, new in zip(before, after, strict=False))


@dataclass(frozen=True, slots=True)
class Count:
    """The working days between two days, and whether a year that was counted in is provisional."""

    days: int
    provisional: bool


def count_working_days(calendar: Calendar, start: date, end: date) -> Count:
    """Counts as ``CountWorkingDays`` does: by the years that are there.

    Raises:
        InvalidArgument: ``FIELD_INVALID``, an ``end`` before ``start``.
        FailedPrecondition: ``CALENDAR_UNKNOWN``, a day of a year that is not there.
    """
    if end < start:
        raise invalid_field("end_date", "calendar.order", "must not be before start_date")
    for year in range(start.year, end.year + 1):
        if year not in calendar.known_years:
            raise unknown(max(start, date(year, 1, 1)))
    return Count(calendar.count(start, end), not calendar.is_settled(start, end))


def unsettled_year(calendar: Calendar, today: date, limit_days: int, ahead: timedelta) -> int:
    """Returns the first year without a notice that a limit reaches which begins until ``ahead`` from ``today``.

    0 where there is none, or where the day lies beyond the years that are counted in. ``limit_days`` are working days.
    """
    try:
        last = calendar.add(today + ahead, limit_days).year
    except (FailedPrecondition, OverflowError):
        return 0
    return next((year for year in range(today.year, last + 1) if year not in calendar.settled_years), 0)
