"""The State Council's working days of 2023 to 2026, as rows of our table.

Read once from the package ``chinesecalendar`` when a region is set up; afterwards the table is the truth, and a later
year is imported by ``CalendarService.ImportCalendar``.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from chinese_calendar import constants, is_workday

from services.cases.domain.calendar import DayKind, DayRow, check_year

YEARS = (2023, 2024, 2025, 2026)
"""The years that the package knows and a region starts with."""

SOURCE = "国务院办公厅关于部分节假日安排的通知 (chinesecalendar)"
"""What ``Calendar.source`` says of these rows."""

_SATURDAY = 5


def calendar_rows(year: int) -> tuple[DayRow, ...]:
    """Returns every day of ``year`` with its kind, in order.

    Raises:
        NotImplementedError: the package doesn't know the year (from 2027 on).
    """
    return check_year(year, (_row(day) for day in _days(year)))


def all_rows() -> tuple[DayRow, ...]:
    """Returns the rows of all ``YEARS``, in order."""
    return tuple(row for year in YEARS for row in calendar_rows(year))


def _days(year: int) -> Iterator[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=offset) for offset in range((date(year + 1, 1, 1) - first).days))


def _row(day: date) -> DayRow:
    is_weekend = day.weekday() >= _SATURDAY
    if is_workday(day):
        return DayRow(day, DayKind.MAKE_UP_WORKDAY if is_weekend else DayKind.WORKDAY, constants.workdays.get(day, ""))
    if day in constants.in_lieu_days:
        return DayRow(day, DayKind.SWAPPED_REST, constants.in_lieu_days[day])
    if day in constants.holidays:
        return DayRow(day, DayKind.HOLIDAY, constants.holidays[day])
    return DayRow(day, DayKind.WEEKEND)
