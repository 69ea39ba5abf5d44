"""What an import of a year must be, and counting for those who ask: the rules of CalendarService."""

from collections.abc import Iterator, Sequence
from datetime import date

from libs.civil.calendar import KINDS_BY_WEEKDAY, Calendar, DayRow, check_year, is_fixed_holiday, is_weekend, unknown
from libs.errors import Violation, invalid_field, reasons

_FEWEST, _MOST = 235, 265
"""Bounds of a year's working days; notices give 245 to 252, the weekly pattern alone gives up to 262."""

_NAMED = 20
"""So many broken days are named at most."""


def check_import(year: int, rows: Sequence[DayRow], source: str, known: frozenset[int]) -> tuple[DayRow, ...]:
    """Looks at a year as a whole before it counts; returns its rows in order.

    Args:
        year: the year.
        rows: its days, in any order.
        source: the published notice that they come from.
        known: the years that are there already.

    Raises:
        InvalidArgument: ``CALENDAR_INCOMPLETE``: a day is missing, double, or of another year; ``FIELD_INVALID`` with
            every rule that is broken: a year that doesn't adjoin those that are there, no notice named, a kind that its
            weekday can't have, a fixed holiday that is worked, a year with too many or too few working days.
    """
    table = check_year(year, rows)
    broken = (*_year_violations(year, source, known), *_day_violations(rows), *_sum_violations(table))
    if broken:
        raise reasons.field_invalid("the year can't be imported; nothing was changed", violations=broken)
    return table


def _year_violations(year: int, source: str, known: frozenset[int]) -> Iterator[Violation]:
    if known and not min(known) - 1 <= year <= max(known) + 1:
        missing = max(known) + 1 if year > max(known) else min(known) - 1
        yield Violation("year", "calendar.contiguous", f"the calendar of {missing} must be imported first")
    if not source.strip():
        yield Violation("source", "calendar.notice", "must name the published notice")


def _day_violations(rows: Sequence[DayRow]) -> Iterator[Violation]:
    found = 0
    for place, row in enumerate(rows):
        weekend = KINDS_BY_WEEKDAY.get(row.kind)
        if weekend is not None and weekend != is_weekend(row.day):
            found += 1
            yield Violation(f"days[{place}].kind", "calendar.weekday", f"{row.day} can't be a {row.kind}")
        elif row.kind.is_working and is_fixed_holiday(row.day):
            found += 1
            yield Violation(f"days[{place}].kind", "calendar.fixed_holiday", f"{row.day} is a public holiday by law")
        if found >= _NAMED:
            return


def _sum_violations(table: Sequence[DayRow]) -> Iterator[Violation]:
    working = sum(row.kind.is_working for row in table)
    if not _FEWEST <= working <= _MOST:
        yield Violation("days", "calendar.working_days", f"{working} working days are not those of a year")


def count_working_days(calendar: Calendar, start: date, end: date) -> int:
    """Counts as ``CountWorkingDays`` does: by notices only.

    Raises:
        InvalidArgument: ``FIELD_INVALID``, an ``end`` before ``start``.
        FailedPrecondition: ``CALENDAR_UNKNOWN``, a day that no notice covers.
    """
    if end < start:
        raise invalid_field("end_date", "calendar.order", "must not be before start_date")
    for year in range(start.year, end.year + 1):
        if year not in calendar.known_years:
            raise unknown(max(start, date(year, 1, 1)))
    return calendar.count(start, end)
