from datetime import UTC, date, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.cases.calendar_data import YEARS, calendar_rows
from services.cases.domain.calendar import Calendar, DayKind, DayRow, check_year, count_working_days, local_day

# Read off the State Council's notice for National Day 2024: off 1 to 7 October, worked on Sunday 29 September and
# Saturday 12 October.
NATIONAL_DAY_2024 = {
    "2024-09-27": True, "2024-09-28": False, "2024-09-29": True, "2024-09-30": True, "2024-10-01": False,
    "2024-10-04": False, "2024-10-07": False, "2024-10-08": True, "2024-10-11": True, "2024-10-12": True,
    "2024-10-13": False, "2024-10-14": True,
}  # fmt: skip


@pytest.mark.parametrize(("day", "worked"), NATIONAL_DAY_2024.items())
def test_national_day_2024(calendar: Calendar, day: str, worked: bool) -> None:
    assert calendar.is_working_day(date.fromisoformat(day)) is worked


@pytest.mark.parametrize(("year", "worked"), [(2023, 249), (2024, 251), (2025, 248), (2026, 248)])
def test_working_days_of_a_year(calendar: Calendar, year: int, worked: int) -> None:
    assert sum(row.kind.is_working for row in calendar_rows(year)) == worked


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2024-09-27", 5, "2024-10-10"),  # 29 Sep, 30 Sep, 8, 9, 10 Oct
        ("2024-09-30", 5, "2024-10-12"),  # 8, 9, 10, 11, Saturday 12 Oct
        ("2024-09-28", 1, "2024-09-29"),  # the next day is a worked Sunday
        ("2024-09-12", 20, "2024-10-16"),  # across Mid-Autumn and National Day
        ("2024-10-01", 1, "2024-10-08"),  # day 0 is a holiday
        ("2024-10-01", 0, "2024-10-08"),  # ends on a rest day: the next working day
        ("2024-10-08", 0, "2024-10-08"),
        ("2024-12-31", 1, "2025-01-02"),  # New Year's Day is off
        ("2025-01-24", 5, "2025-02-07"),  # 26, 27 Jan, 5, 6, 7 Feb: Spring Festival
        ("2025-01-24", 6, "2025-02-08"),  # a worked Saturday
    ],
)
def test_period_ends(calendar: Calendar, start: str, days: int, end: str) -> None:
    assert calendar.add(date.fromisoformat(start), days) == date.fromisoformat(end)


def test_count_excludes_the_first_and_includes_the_last_day(calendar: Calendar) -> None:
    assert calendar.count(date(2024, 9, 27), date(2024, 10, 12)) == 7
    assert calendar.count(date(2024, 10, 12), date(2024, 9, 27)) == -7
    assert calendar.count(date(2024, 10, 1), date(2024, 10, 7)) == 0


@pytest.mark.parametrize("day", [date(2022, 12, 31), date(2027, 1, 1)])
def test_a_day_outside_the_table_is_unknown(calendar: Calendar, day: date) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        calendar.is_working_day(day)
    assert caught.value.reason == "CALENDAR_UNKNOWN"
    assert caught.value.metadata == {"date": day.isoformat()}


def test_a_period_that_leaves_the_table_is_unknown(calendar: Calendar) -> None:
    assert calendar.add(date(2026, 12, 30), 1) == date(2026, 12, 31)
    with pytest.raises(FailedPrecondition) as caught:
        calendar.add(date(2026, 12, 30), 2)
    assert caught.value.metadata == {"date": "2027-01-01"}


def test_a_period_has_no_negative_length(calendar: Calendar) -> None:
    with pytest.raises(ValueError, match="negative"):
        calendar.add(date(2024, 1, 2), -1)


def test_count_working_days_refuses_an_end_before_the_start(calendar: Calendar) -> None:
    assert count_working_days(calendar, date(2024, 9, 30), date(2024, 10, 8)) == 1
    with pytest.raises(InvalidArgument) as caught:
        count_working_days(calendar, date(2024, 10, 8), date(2024, 9, 30))
    assert caught.value.reason == "FIELD_INVALID"


@pytest.mark.parametrize("year", YEARS)
def test_every_year_is_whole(year: int) -> None:
    rows = calendar_rows(year)
    assert (rows[0].day, rows[-1].day) == (date(year, 1, 1), date(year, 12, 31))


def test_kinds_are_told_apart() -> None:
    kinds = {row.day: row.kind for row in calendar_rows(2024)}
    assert kinds[date(2024, 10, 1)] is DayKind.HOLIDAY
    assert kinds[date(2024, 10, 4)] is DayKind.SWAPPED_REST
    assert kinds[date(2024, 10, 12)] is DayKind.MAKE_UP_WORKDAY
    assert kinds[date(2024, 10, 13)] is DayKind.WEEKEND
    assert kinds[date(2024, 10, 14)] is DayKind.WORKDAY


def test_2027_is_not_guessed() -> None:
    with pytest.raises(NotImplementedError):
        calendar_rows(2027)


@pytest.mark.parametrize(
    "rows",
    [
        (),
        calendar_rows(2024)[1:],
        calendar_rows(2024)[:-1],
        calendar_rows(2024)[:100] + calendar_rows(2024)[101:],
        (*calendar_rows(2024), calendar_rows(2024)[50]),
        calendar_rows(2025),
    ],
    ids=["empty", "first missing", "last missing", "gap", "double", "other year"],
)
def test_an_incomplete_year_is_refused(rows: tuple[DayRow, ...]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_year(2024, rows)
    assert caught.value.reason == "CALENDAR_INCOMPLETE"


def test_a_calendar_has_no_gap() -> None:
    with pytest.raises(InvalidArgument):
        Calendar((*calendar_rows(2024), *calendar_rows(2026)))


def test_days_are_those_of_china() -> None:
    assert local_day(datetime(2024, 9, 30, 15, 59, tzinfo=UTC)) == date(2024, 9, 30)
    assert local_day(datetime(2024, 9, 30, 16, 0, tzinfo=UTC)) == date(2024, 10, 1)
    with pytest.raises(ValueError, match="time zone"):
        local_day(datetime(2024, 9, 30, 16, 0))  # noqa: DTZ001 - the missing zone is what is tested


def test_first_and_last_day(calendar: Calendar) -> None:
    assert calendar.last_day - calendar.first_day == timedelta(days=365 + 366 + 365 + 365 - 1)
