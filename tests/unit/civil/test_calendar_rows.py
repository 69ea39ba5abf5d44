"""What a row says of its day, and what an import is told where a day is wrong."""

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from libs.civil.calendar import (
    Calendar,
    DayKind,
    DayRow,
    check_year,
    days_of_year,
    is_fixed_holiday,
    provisional_rows,
    unknown,
)
from libs.civil.notices import shipped
from libs.errors import FailedPrecondition, InvalidArgument
from services.cases.calendars.rules import Count, check_import, count_working_days, days_given


@pytest.mark.parametrize(
    ("day", "kind", "note"),
    [
        (date(2024, 10, 1), DayKind.HOLIDAY, "国庆节"),
        (date(2024, 9, 29), DayKind.MAKE_UP_WORKDAY, "国庆节"),
        (date(2024, 10, 7), DayKind.SWAPPED_REST, "国庆节"),
        (date(2024, 10, 8), DayKind.WORKDAY, ""),
        (date(2024, 10, 19), DayKind.WEEKEND, ""),
    ],
)
def test_a_row_names_the_festival_that_it_is_for(day: date, kind: DayKind, note: str) -> None:
    row = next(each for each in shipped()[2024].rows() if each.day == day)
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


def test_a_calendar_without_a_day_is_refused_and_one_keeps_its_edition() -> None:
    with pytest.raises(InvalidArgument) as refused:
        Calendar([])
    assert (refused.value.reason, refused.value.metadata) == ("CALENDAR_INCOMPLETE", {"date": ""})
    assert Calendar(shipped()[2024].rows()).edition == 0
    assert Calendar(shipped()[2024].rows(), 7).edition == 7
    assert Calendar(shipped()[2024].rows()).known_years == {2024}


@pytest.mark.parametrize(
    ("day", "fixed"),
    [
        (date(2024, 1, 1), True),
        (date(2024, 1, 2), False),
        (date(2024, 5, 1), True),
        (date(2024, 5, 2), False),
        (date(2025, 5, 2), True),
        (date(2026, 5, 2), True),
        (date(2025, 5, 3), False),
        (date(2025, 6, 2), False),
        (date(2024, 9, 30), False),
        (date(2024, 10, 1), True),
        (date(2024, 10, 3), True),
        (date(2024, 10, 4), False),
    ],
)
def test_the_law_fixes_few_holidays_and_2_may_since_2025(day: date, fixed: bool) -> None:
    assert is_fixed_holiday(day) is fixed


def rows_with(kinds: Mapping[date, DayKind]) -> list[DayRow]:
    return [DayRow(row.day, kinds.get(row.day, row.kind)) for row in provisional_rows(2027)]


def violations(rows: Sequence[DayRow], source: str = "notice", known: frozenset[int] = frozenset({2026})) -> list[str]:
    with pytest.raises(InvalidArgument) as refused:
        check_import(2027, days_given(rows), source, known)
    assert refused.value.reason == "FIELD_INVALID"
    return [f"{each.field} {each.rule}" for each in refused.value.violations]


def test_everything_that_is_wrong_with_an_import_is_named_at_once() -> None:
    wrong = {date(2027, 1, 1): DayKind.WORKDAY, date(2027, 1, 2): DayKind.SWAPPED_REST}
    assert violations(rows_with(wrong), "", frozenset({2024, 2025})) == [
        "year calendar.contiguous",
        "source calendar.notice",
        "days[0].kind calendar.fixed_holiday",
        "days[1].kind calendar.weekday",
    ]


@pytest.mark.parametrize("kind", [DayKind.MAKE_UP_WORKDAY, DayKind.WEEKEND])
def test_so_many_broken_days_are_named_and_no_more(kind: DayKind) -> None:
    workdays = [row.day for row in provisional_rows(2027) if row.kind is DayKind.WORKDAY]
    named = [each for each in violations(rows_with(dict.fromkeys(workdays[:21], kind))) if each.startswith("days[")]
    assert len(named) == 20
    assert len(violations(rows_with(dict.fromkeys(workdays[:19], kind)))) == 19


def test_also_of_holidays_that_are_worked_no_more_are_named_than_of_others() -> None:
    workdays = [row.day for row in provisional_rows(2027) if row.kind is DayKind.WORKDAY]
    wrong = {date(2027, 10, 1): DayKind.WORKDAY, **dict.fromkeys(workdays[-20:], DayKind.WEEKEND)}
    named = violations(rows_with(wrong))
    assert len(named) == 20
    assert "days[273].kind calendar.fixed_holiday" in named


@pytest.mark.parametrize(("off", "worked"), [(0, 265), (0, 266), (30, 235), (30, 234)])
def test_a_year_has_between_235_and_265_working_days(off: int, worked: int) -> None:
    """The pattern of weeks has 259 in 2027: weekends are worked, or workdays are off, until there are so many."""
    pattern = provisional_rows(2027)
    spare = [row.day for row in pattern if row.kind is (DayKind.WORKDAY if off else DayKind.WEEKEND)]
    there = sum(row.kind.is_working for row in pattern)
    kind = DayKind.HOLIDAY if off else DayKind.MAKE_UP_WORKDAY
    rows = rows_with(dict.fromkeys(spare[: abs(worked - there)], kind))
    assert sum(row.kind.is_working for row in rows) == worked
    if worked in (235, 265):
        assert check_import(2027, days_given(rows), "notice", frozenset()) == tuple(rows)
    else:
        assert violations(rows) == ["days calendar.working_days"]


def test_a_year_adjoins_those_that_are_there_on_either_side() -> None:
    rows = provisional_rows(2027)
    for known in (frozenset[int](), frozenset({2026}), frozenset({2028, 2029}), frozenset({2025, 2027, 2030})):
        assert check_import(2027, days_given(rows), "notice", known) == rows
    for known in (frozenset({2025}), frozenset({2029})):
        assert violations(rows, known=known) == ["year calendar.contiguous"]


def test_counting_names_the_first_day_that_no_notice_covers() -> None:
    calendar = Calendar(shipped()[2024].rows())
    assert count_working_days(calendar, date(2024, 1, 1), date(2024, 12, 31)) == Count(251, provisional=False)
    assert count_working_days(calendar, date(2024, 1, 2), date(2024, 1, 2)) == Count(0, provisional=False)
    for start, end, day in (
        (date(2023, 12, 30), date(2024, 1, 2), "2023-12-30"),
        (date(2024, 1, 2), date(2025, 1, 2), "2025-01-01"),
    ):
        with pytest.raises(FailedPrecondition) as gap:
            count_working_days(calendar, start, end)
        assert (gap.value.reason, gap.value.metadata) == ("CALENDAR_UNKNOWN", {"date": day})
    with pytest.raises(InvalidArgument) as order:
        count_working_days(calendar, date(2024, 1, 2), date(2024, 1, 1))
    assert [(each.field, each.rule) for each in order.value.violations] == [("end_date", "calendar.order")]
