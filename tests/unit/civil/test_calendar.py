"""The region's working-day calendar: notices, the provisional pattern, counting, and what an import must be."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.civil.calendar import Calendar, DayKind, DayRow, check_year, days_of_year, local_day, provisional_rows
from libs.civil.notices import all_rows, shipped
from libs.errors import FailedPrecondition, InvalidArgument
from services.cases.calendars.rules import Count, check_import, count_working_days, days_given

NOTICE = "国办发明电〔2026〕9号"
YEARS = (2023, 2024, 2025, 2026)


def calendar_rows(year: int) -> tuple[DayRow, ...]:
    return shipped()[year].rows()


@pytest.fixture(scope="session")
def calendar() -> Calendar:
    """2023 to 2026 after the State Council's notices."""
    return Calendar(all_rows())


# Read off the State Council's notice for National Day 2024: off 1 to 7 October, worked on Sunday 29 September and
# Saturday 12 October.
NATIONAL_DAY_2024 = {
    "2024-09-27": True,
    "2024-09-28": False,
    "2024-09-29": True,
    "2024-09-30": True,
    "2024-10-01": False,
    "2024-10-04": False,
    "2024-10-07": False,
    "2024-10-08": True,
    "2024-10-11": True,
    "2024-10-12": True,
    "2024-10-13": False,
    "2024-10-14": True,
}


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


@pytest.mark.parametrize("day", [date(1969, 12, 31), date(2101, 1, 1)])
def test_a_day_that_only_a_broken_clock_says_is_unknown(calendar: Calendar, day: date) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        calendar.is_working_day(day)
    assert caught.value.reason == "CALENDAR_UNKNOWN"
    assert caught.value.metadata == {"date": day.isoformat()}


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-12-30", 1, "2026-12-31"),
        ("2026-12-30", 2, "2027-01-04"),  # Friday 1 January is New Year's Day by law, then a weekend
        ("2026-12-04", 20, "2027-01-04"),
        ("2027-04-30", 1, "2027-05-03"),  # 1 and 2 May are holidays by law, a Saturday and a Sunday
        ("2027-09-30", 1, "2027-10-04"),  # 1 to 3 October
        ("2031-01-02", 5, "2031-01-09"),
        ("2099-12-31", 1, "2100-01-04"),
    ],
)
def test_a_year_without_a_notice_is_counted_provisionally(calendar: Calendar, start: str, days: int, end: str) -> None:
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    assert calendar.add(first, days) == last
    assert calendar.count(first, last) == days
    assert calendar.is_settled(first, last) is (last.year <= 2026)


def test_a_year_entered_provisionally_is_known_and_not_settled() -> None:
    calendar = Calendar((*all_rows(), *provisional_rows(2027)), 5, [2027])
    assert calendar.known_years == {*YEARS, 2027}
    assert calendar.settled_years == {*YEARS}
    assert calendar.is_settled(date(2026, 12, 30), date(2026, 12, 31))
    assert not calendar.is_settled(date(2026, 12, 30), date(2027, 1, 4))
    assert count_working_days(calendar, date(2026, 12, 30), date(2027, 1, 4)) == Count(2, provisional=True)


def test_a_gap_between_years_stops_nothing() -> None:
    gapped = Calendar((*calendar_rows(2024), *calendar_rows(2026)))
    assert gapped.add(date(2024, 12, 31), 1) == date(2025, 1, 2)
    assert gapped.add(date(2026, 12, 30), 1) == date(2026, 12, 31)
    assert not gapped.is_settled(date(2024, 12, 31), date(2026, 1, 2))


DAYS = st.integers(0, 365 * 20).map(lambda offset: date(2023, 1, 1) + timedelta(days=offset))


SHIPPED = Calendar(all_rows())


@given(start=DAYS, days=st.integers(0, 400))
def test_counting_is_the_sum_over_days(start: date, days: int) -> None:
    calendar = SHIPPED
    end = start + timedelta(days=days)
    plain = sum(calendar.is_working_day(start + timedelta(days=offset)) for offset in range(1, days + 1))
    assert calendar.count(start, end) == plain
    if plain:
        assert calendar.count(start, calendar.add(start, plain)) == plain


def test_a_period_has_no_negative_length(calendar: Calendar) -> None:
    with pytest.raises(ValueError, match="negative"):
        calendar.add(date(2024, 1, 2), -1)


def test_who_asks_for_a_count_gets_no_guess(calendar: Calendar) -> None:
    assert count_working_days(calendar, date(2024, 9, 30), date(2024, 10, 8)) == Count(1, provisional=False)
    with pytest.raises(InvalidArgument) as order:
        count_working_days(calendar, date(2024, 10, 8), date(2024, 9, 30))
    assert order.value.reason == "FIELD_INVALID"
    with pytest.raises(FailedPrecondition) as unknown:
        count_working_days(calendar, date(2026, 12, 31), date(2027, 1, 4))
    assert (unknown.value.reason, unknown.value.metadata) == ("CALENDAR_UNKNOWN", {"date": "2027-01-01"})


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


@pytest.mark.parametrize("year", YEARS)
def test_every_notice_is_a_year_that_may_be_imported(year: int) -> None:
    assert check_import(year, days_given(calendar_rows(year)), NOTICE, YEARS) == calendar_rows(year)


def _changed(rows: Sequence[DayRow], day: date, kind: DayKind) -> tuple[DayRow, ...]:
    return tuple(DayRow(day, kind) if row.day == day else row for row in rows)


YEAR_2027 = provisional_rows(2027)
ALL_OFF = tuple(DayRow(day, DayKind.HOLIDAY) for day in days_of_year(2027))


@pytest.mark.parametrize(
    ("year", "rows", "source", "field", "rule"),
    [
        (2028, provisional_rows(2028), NOTICE, "year", "calendar.contiguous"),
        (2021, provisional_rows(2021), NOTICE, "year", "calendar.contiguous"),
        (2027, YEAR_2027, "  ", "source", "calendar.notice"),
        (2027, _changed(YEAR_2027, date(2027, 3, 6), DayKind.WORKDAY), NOTICE, "days[64].kind", "calendar.weekday"),
        (2027, _changed(YEAR_2027, date(2027, 3, 5), DayKind.WEEKEND), NOTICE, "days[63].kind", "calendar.weekday"),
        (
            2027,
            _changed(YEAR_2027, date(2027, 1, 1), DayKind.WORKDAY),
            NOTICE,
            "days[0].kind",
            "calendar.fixed_holiday",
        ),
        (2027, ALL_OFF, NOTICE, "days", "calendar.working_days"),
    ],
    ids=["gap", "gap before", "no notice", "a worked weekend", "a weekend on Friday", "New Year worked", "all off"],
)
def test_an_import_is_looked_at_as_a_whole(
    year: int, rows: tuple[DayRow, ...], source: str, field: str, rule: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_import(year, days_given(rows), source, YEARS)
    assert (caught.value.reason, [(each.field, each.rule) for each in caught.value.violations]) == (
        "FIELD_INVALID",
        [(field, rule)],
    )


def test_days_are_those_of_china() -> None:
    assert local_day(datetime(2024, 9, 30, 15, 59, tzinfo=UTC)) == date(2024, 9, 30)
    assert local_day(datetime(2024, 9, 30, 16, 0, tzinfo=UTC)) == date(2024, 10, 1)
    with pytest.raises(ValueError, match="time zone"):
        local_day(datetime(2024, 9, 30, 16, 0))  # noqa: DTZ001 - the missing zone is what is tested
