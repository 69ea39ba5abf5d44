"""The region's calendar: imports that count as a whole or not at all, and cases whatever year it is."""

from datetime import date, timedelta

import pytest

from libs.civil.calendar import DayKind, DayRow, provisional_rows
from libs.errors import InvalidArgument
from tests.service.cases.conftest import Town, day, request_id
from tongban.cases.v1 import calendar_service_pb2 as calendars
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

NOTICE = "国办发明电〔2026〕9号"


def message_of(row: DayRow) -> calendars.CalendarDay:
    on = common_pb2.Date(year=row.day.year, month=row.day.month, day=row.day.day)
    return calendars.CalendarDay(date=on, kind=calendars.DayKind.Value(f"DAY_KIND_{row.kind}"))


def resting(year: int, *days: date) -> list[DayRow]:
    """A year in which ``days`` are off besides."""
    return [DayRow(row.day, DayKind.SWAPPED_REST) if row.day in days else row for row in provisional_rows(year)]


async def imported(town: Town, year: int, *off: date) -> calendars.Calendar:
    request = calendars.ImportCalendarRequest(
        year=year, days=map(message_of, resting(year, *off)), source=NOTICE, request_id=request_id()
    )
    return await town.call(town.calendars.ImportCalendar, request, calendars.Calendar, town.system)


@pytest.mark.parametrize("today", [date(2026, 12, 4), date(2026, 12, 30), date(2027, 3, 1), date(2031, 1, 2)])
async def test_a_case_lives_whatever_the_day(town: Town, today: date) -> None:
    town.at(today)
    case = await town.closed(await town.item())
    assert case.state == pb.CASE_STATE_CLOSED and case.light == pb.LIGHT_GREEN


async def test_a_gap_is_refused_and_changes_nothing(town: Town) -> None:
    town.at(date(2026, 12, 30))
    case = await town.step("Submit", await town.create(await town.item()))
    before = await town.clock_of(case)
    assert (day(before.promised_deadline), before.provisional) == (date(2027, 1, 7), True)
    with pytest.raises(InvalidArgument) as refused:
        await imported(town, 2028)
    assert [(each.field, each.rule) for each in refused.value.violations] == [("year", "calendar.contiguous")]
    assert await town.clock_of(case) == before
    for year in (2027, 2028):
        await imported(town, year)
    after = await town.clock_of(case)
    assert (day(after.promised_deadline), after.provisional) == (date(2027, 1, 7), False)


async def test_a_fault_is_healed_by_importing_again(town: Town) -> None:
    town.at(date(2026, 12, 30))
    case = await town.step("Submit", await town.create(await town.item()))
    await imported(town, 2027, *(date(2027, 1, 4) + timedelta(days=offset) for offset in range(5)))
    assert day((await town.clock_of(case)).promised_deadline) == date(2027, 1, 14)
    assert (await imported(town, 2027)).revision == 2
    assert day((await town.clock_of(case)).promised_deadline) == date(2027, 1, 7)
