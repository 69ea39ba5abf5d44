"""What a row says of its day, and what an import is told where a day is wrong."""

from datetime import date

import pytest

from libs.civil.calendar import DayKind, check_year, days_of_year, provisional_rows, unknown
from libs.civil.notices import calendar_rows
from libs.errors import InvalidArgument


@pytest.mark.parametrize(
    ("day", "kind", "note"),
    [
        (date(2024, 10, 1), DayKind.HOLIDAY, "National Day"),
        (date(2024, 9, 29), DayKind.MAKE_UP_WORKDAY, "National Day"),
        (date(2024, 10, 7), DayKind.SWAPPED_REST, "National Day"),
        (date(2024, 10, 8), DayKind.WORKDAY, ""),
        (date(2024, 10, 19), DayKind.WEEKEND, ""),
    ],
)
def test_a_row_names_the_festival_that_it_is_for(day: date, kind: DayKind, note: str) -> None:
    row = next(each for each in calendar_rows(2024) if each.day == day)
    assert (row.kind, row.note) == (kind, note)


def test_a_missing_day_is_named() -> None:
    rows = [row for row in provisional_rows(2025) if row.day != date(2025, 3, 7)]
    with pytest.raises(InvalidArgument) as refused:
        check_year(2025, rows)
    (violation,) = refused.value.violations
    assert (violation.field, violation.rule) == ("days", "calendar.whole_year")
    assert violation.description == "2025-03-07 is missing"
    assert refused.value.metadata["date"] == "2025-03-07"


def test_a_day_that_is_too_much_is_named() -> None:
    rows = provisional_rows(2025)
    with pytest.raises(InvalidArgument) as refused:
        check_year(2025, [*rows, rows[-1]])
    (violation,) = refused.value.violations
    assert violation.description == "2025-12-31 is there twice, or of another year"
    assert refused.value.metadata["date"] == "2025-12-31"


def test_a_year_has_its_own_days_alone() -> None:
    for year, count in ((2023, 365), (2024, 366)):
        days = days_of_year(year)
        assert (len(days), days[0], days[-1]) == (count, date(year, 1, 1), date(year, 12, 31))


def test_a_day_that_no_calendar_covers_is_named() -> None:
    error = unknown(date(2027, 1, 4))
    assert (error.reason, error.metadata) == ("CALENDAR_UNKNOWN", {"date": "2027-01-04"})
