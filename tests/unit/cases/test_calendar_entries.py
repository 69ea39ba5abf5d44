"""What an entered year must be: as its notice states it, or before there is one; and when a missing one is reported."""

from datetime import date, timedelta

import pytest

from libs.civil.calendar import Calendar, CalendarBasis, provisional_rows
from libs.civil.festivals import Festival
from libs.civil.notices import all_rows, shipped
from libs.errors import FailedPrecondition, InvalidArgument
from services.cases.calendars.rules import (
    changed_days,
    check_import,
    check_provisional,
    festivals_given,
    unsettled_year,
)

NOTICE = "国办发明电〔2026〕9号"
KNOWN = dict.fromkeys((2023, 2024, 2025, 2026), CalendarBasis.NOTICE)
MAY = Festival("劳动节", date(2027, 5, 1), date(2027, 5, 5))


def _violations(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[tuple[str, str]]:
    assert refused.value.reason == "FIELD_INVALID"
    return [(each.field, each.rule) for each in refused.value.violations]


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_a_year_given_by_its_festivals_is_the_same_year(year: int) -> None:
    notice = shipped()[year]
    assert check_import(year, festivals_given(year, notice.festivals), NOTICE, KNOWN) == notice.rows()


@pytest.mark.parametrize(
    ("festivals", "field", "rule"),
    [
        ([Festival("x", date(2027, 5, 2), date(2027, 5, 1))], "festivals[0].end_date", "calendar.order"),
        ([MAY, Festival("x", date(2027, 2, 1), date(2027, 2, 17))], "festivals[1].end_date", "calendar.length"),
        ([Festival("x", date(2026, 12, 31), date(2027, 1, 1))], "festivals[0].start_date", "calendar.year"),
        ([MAY, Festival("x", date(2027, 5, 5), date(2027, 5, 6))], "festivals[1].start_date", "calendar.once"),
        (
            [Festival("x", date(2027, 5, 1), date(2027, 5, 5), make_up_workdays=(date(2027, 5, 8), date(2027, 5, 8)))],
            "festivals[0].make_up_dates[1]",
            "calendar.once",
        ),
        (
            [Festival("x", date(2027, 5, 1), date(2027, 5, 5), make_up_workdays=(date(2027, 5, 2),))],
            "festivals[0].make_up_dates[0]",
            "calendar.once",
        ),
        (
            [Festival("x", date(2027, 5, 1), date(2027, 5, 5), swapped_days=(date(2027, 5, 4), date(2027, 5, 6)))],
            "festivals[0].swapped_dates[1]",
            "calendar.swapped",
        ),
    ],
)
def test_festivals_that_are_no_year_s_are_refused(festivals: list[Festival], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        festivals_given(2027, festivals)
    assert (field, rule) in _violations(refused)


def test_fifteen_days_more_are_no_festival_too_long() -> None:
    festival = Festival("x", date(2027, 2, 1), date(2027, 2, 16))
    assert sum(each.field == "festivals[0].start_date" for each in festivals_given(2027, [festival])) == 16


@pytest.mark.parametrize(
    ("festival", "field", "rule"),
    [
        (
            Festival("x", date(2027, 5, 1), date(2027, 5, 5), (date(2027, 5, 1),)),
            "swapped_dates[0]",
            "calendar.weekday",
        ),
        (
            Festival("x", date(2027, 5, 1), date(2027, 5, 5), (), (date(2027, 5, 10),)),
            "make_up_dates[0]",
            "calendar.weekday",
        ),
        (
            Festival("x", date(2027, 6, 9), date(2027, 6, 9), (), (date(2027, 10, 2),)),
            "make_up_dates[0]",
            "calendar.fixed_holiday",
        ),
    ],
)
def test_what_a_weekday_or_the_law_forbids_is_named_by_its_field(festival: Festival, field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_import(2027, festivals_given(2027, [festival]), NOTICE, KNOWN)
    assert (f"festivals[0].{field}", rule) in _violations(refused)


def test_a_fixed_holiday_that_no_festival_names_is_refused() -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_import(2027, festivals_given(2027, [MAY]), NOTICE, KNOWN)
    # 1 January and 1 October 2027 are Fridays.
    assert _violations(refused) == [("festivals", "calendar.fixed_holiday")] * 2


@pytest.mark.parametrize("year", [2022, 2027])
def test_the_years_beside_those_that_are_there_may_be_entered(year: int) -> None:
    check_provisional(year, KNOWN)


@pytest.mark.parametrize("year", [2021, 2028])
def test_a_provisional_year_leaves_no_gap(year: int) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_provisional(year, KNOWN)
    assert _violations(refused) == [("year", "calendar.contiguous")]


@pytest.mark.parametrize("basis", CalendarBasis)
def test_a_year_that_is_there_is_not_entered_provisionally(basis: CalendarBasis) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        check_provisional(2027, {**KNOWN, 2027: basis})
    told = {"resource": "calendars/2027", "state": str(basis), "allowed": "MISSING"}
    assert (refused.value.reason, refused.value.metadata) == ("STATE_CONFLICT", told)


def test_days_that_changed_their_work_are_counted() -> None:
    # The law alone gives 2026 its fixed holidays; its notice rests on 14 more weekdays and has 6 weekends worked.
    law, notice = provisional_rows(2026), shipped()[2026].rows()
    rested = sum(row.kind.is_working for row in law) - sum(row.kind.is_working for row in notice)
    assert changed_days(law, notice) == rested + 2 * 6
    assert changed_days(notice, notice) == 0
    assert changed_days([], notice) == 0


AHEAD = timedelta(days=90)


@pytest.mark.parametrize(
    ("today", "limit", "year"),
    [
        # 90 days after 3 July are 1 October. From there: 8, 9 and the worked 10 October, eleven weeks, and 28 to 31 December.
        (date(2026, 7, 3), 63, 2027),
        (date(2026, 7, 3), 62, 0),
        (date(2026, 11, 26), 1, 2027),
        (date(2026, 1, 5), 20, 0),
    ],
)
def test_a_missing_year_is_reported_90_days_before_a_limit_reaches_it(today: date, limit: int, year: int) -> None:
    assert unsettled_year(Calendar(all_rows()), today, limit, AHEAD) == year


def test_a_provisional_year_is_still_without_its_notice() -> None:
    calendar = Calendar((*all_rows(), *provisional_rows(2027)), 1, [2027])
    assert unsettled_year(calendar, date(2026, 11, 26), 20, AHEAD) == 2027
    assert unsettled_year(calendar, date(2028, 6, 1), 20, AHEAD) == 2028


@pytest.mark.parametrize("today", [date(1969, 1, 1), date(2100, 12, 1), date(9999, 12, 30)])
def test_a_day_that_only_a_broken_clock_says_reports_nothing(today: date) -> None:
    assert unsettled_year(Calendar(all_rows()), today, 20, AHEAD) == 0
