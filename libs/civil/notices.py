"""The State Council's working days of 2023 to 2026, as rows of our table: what every region starts with.

They come from the package ``chinesecalendar``. Cases puts them into its table when a region is set up; from then on that
table is the truth, and other years come by ``CalendarService.ImportCalendar``.
"""

from datetime import date

from chinese_calendar import constants, is_workday

from libs.civil.calendar import DayKind, DayRow, check_year, days_of_year, is_weekend

YEARS = (2023, 2024, 2025, 2026)
"""The years that the package knows and a region starts with."""

SOURCE = "国务院办公厅关于部分节假日安排的通知 (chinesecalendar)"
"""What ``Calendar.source`` says of these rows."""


def calendar_rows(year: int) -> tuple[DayRow, ...]:
    """Returns every day of ``year`` with its kind, in order.

    Raises:
        NotImplementedError: the package doesn't know the year (from 2027 on).
    """
    return check_year(year, (_row(day) for day in days_of_year(year)))


def all_rows() -> tuple[DayRow, ...]:
    """Returns the rows of all ``YEARS``, in order."""
    return tuple(row for year in YEARS for row in calendar_rows(year))


def _row(day: date) -> DayRow:
    if is_workday(day):
        return DayRow(
            day, DayKind.MAKE_UP_WORKDAY if is_weekend(day) else DayKind.WORKDAY, constants.workdays.get(day, "")
        )
    if day in constants.in_lieu_days:
        return DayRow(day, DayKind.SWAPPED_REST, constants.in_lieu_days[day])
    if day in constants.holidays:
        return DayRow(day, DayKind.HOLIDAY, constants.holidays[day])
    return DayRow(day, DayKind.WEEKEND)
