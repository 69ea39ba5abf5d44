"""The notices that come with the project say what the State Council published, and what others read out of it."""

from datetime import date

import pytest
from chinese_calendar import is_workday

from libs.civil.calendar import DayKind, days_of_year
from libs.civil.notices import shipped


# As the notices stand in the State Council's Gazette (国务院公报).
@pytest.mark.parametrize(
    ("year", "number", "published"),
    [
        (2023, "国办发明电〔2022〕16号", date(2022, 12, 8)),
        (2024, "国办发明电〔2023〕7号", date(2023, 10, 25)),
        (2025, "国办发明电〔2024〕12号", date(2024, 11, 12)),
        (2026, "国办发明电〔2025〕7号", date(2025, 11, 4)),
    ],
)
def test_each_names_its_source(year: int, number: str, published: date) -> None:
    notice = shipped()[year]
    assert notice.source == f"国务院办公厅关于{year}年部分节假日安排的通知({number})"
    assert (notice.year, notice.published) == (year, published)


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_a_package_of_others_counts_the_same_days(year: int) -> None:
    ours = {row.day: row.kind.is_working for row in shipped()[year].rows()}
    assert ours == {day: is_workday(day) for day in days_of_year(year)}


@pytest.mark.parametrize("year", [2023, 2024, 2025, 2026])
def test_as_many_weekdays_are_off_as_weekends_are_worked_for_them(year: int) -> None:
    for festival in shipped()[year].festivals:
        assert len(festival.swapped_days) == len(festival.make_up_workdays), festival.name


def test_what_no_festival_names_is_what_its_weekday_makes_it() -> None:
    kinds = {row.day: (row.kind, row.note) for row in shipped()[2026].rows()}
    # 二、春节:2月15日(周日)至23日(周一)放假调休,共9天。2月14日(周六)、2月28日(周六)上班。
    assert kinds[date(2026, 2, 13)] == (DayKind.WORKDAY, "")
    assert kinds[date(2026, 2, 14)] == (DayKind.MAKE_UP_WORKDAY, "春节")
    assert kinds[date(2026, 2, 15)] == (DayKind.HOLIDAY, "春节")
    assert kinds[date(2026, 2, 23)] == (DayKind.SWAPPED_REST, "春节")
    assert kinds[date(2026, 2, 24)] == (DayKind.WORKDAY, "")
    assert kinds[date(2026, 3, 1)] == (DayKind.WEEKEND, "")
