"""The region's calendar: imports that count as a whole or not at all, and cases whatever year it is."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from libs.civil import notices
from libs.civil.calendar import DayKind, DayRow, provisional_rows
from libs.civil.festivals import Festival
from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied
from libs.observability import metrics
from libs.rpc.messages import date_message, working_days
from services.cases.calendars.api import CalendarApi
from tests.service.cases.conftest import Town, day, request_id
from tongban.cases.v1 import calendar_service_pb2 as calendars
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2

NOTICE = "国办发明电〔2026〕9号"
FESTIVALS_2027 = (
    Festival("元旦", date(2027, 1, 1), date(2027, 1, 1)),
    Festival("国庆节", date(2027, 10, 1), date(2027, 10, 7)),
)


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


async def entered(town: Town, year: int, number: str = "") -> calendars.Calendar:
    request = calendars.EnterProvisionalCalendarRequest(year=year, request_id=number or request_id())
    return await town.call(town.calendars.EnterProvisionalCalendar, request, calendars.Calendar, town.system)


async def counted(town: Town, start: date, end: date) -> calendars.CountWorkingDaysResponse:
    request = calendars.CountWorkingDaysRequest(start_date=date_message(start), end_date=date_message(end))
    return await town.call(town.calendars.CountWorkingDays, request, calendars.CountWorkingDaysResponse, "")


@pytest.mark.parametrize("today", [date(2026, 12, 4), date(2026, 12, 30), date(2027, 3, 1), date(2031, 1, 2)])
async def test_a_case_lives_whatever_the_day(town: Town, today: date) -> None:
    town.at(today)
    case = await town.closed(await town.item())
    assert case.state == pb.CASE_STATE_CLOSED and case.light == pb.LIGHT_GREEN


async def test_a_gap_is_refused_and_changes_nothing(town: Town) -> None:
    town.at(date(2026, 12, 30))
    case = await town.step("Submit", await town.create(await town.item()))
    before = await town.clock_of(case)
    assert (day(before.promised_date), before.provisional) == (date(2027, 1, 7), True)
    with pytest.raises(InvalidArgument) as refused:
        await imported(town, 2028)
    assert [(each.field, each.rule) for each in refused.value.violations] == [("year", "calendar.contiguous")]
    assert await town.clock_of(case) == before
    for year in (2027, 2028):
        await imported(town, year)
    after = await town.clock_of(case)
    assert (day(after.promised_date), after.provisional) == (date(2027, 1, 7), False)


async def test_a_fault_is_healed_by_importing_again(town: Town) -> None:
    town.at(date(2026, 12, 30))
    case = await town.step("Submit", await town.create(await town.item()))
    await imported(town, 2027, *(date(2027, 1, 4) + timedelta(days=offset) for offset in range(5)))
    assert day((await town.clock_of(case)).promised_date) == date(2027, 1, 14)
    assert (await imported(town, 2027)).revision == 2
    assert day((await town.clock_of(case)).promised_date) == date(2027, 1, 7)


async def test_a_provisional_year_is_marked_and_replaced_and_its_deadlines_counted_anew(town: Town) -> None:
    """From 30 December 2026: five working days by the law end on 7 January; the notice rests on the 4th and the 5th besides."""
    town.at(date(2026, 12, 30))
    case = await town.step("Submit", await town.create(await town.item()))
    with pytest.raises(FailedPrecondition) as unknown:
        await counted(town, date(2026, 12, 30), date(2027, 1, 7))
    assert unknown.value.reason == "CALENDAR_UNKNOWN"

    made = await entered(town, 2027)
    assert (made.name, made.revision, made.basis) == ("calendars/2027", 1, calendars.CALENDAR_BASIS_PROVISIONAL)
    # 261 weekdays of 2027, less 1 January, 1 October: the other fixed holidays fall on weekends.
    assert made.working_days == 259
    assert await counted(town, date(2026, 12, 30), date(2027, 1, 7)) == calendars.CountWorkingDaysResponse(
        working_days=5, provisional=True
    )
    clock = await town.clock_of(case)
    assert (day(clock.promised_date), clock.provisional) == (date(2027, 1, 7), True)
    assert await town.part("DeadlineRecounter").recount() == 1  # by the newer edition, to the same day: nothing to tell

    replaced = await imported(town, 2027, date(2027, 1, 4), date(2027, 1, 5))
    assert (replaced.revision, replaced.basis) == (2, calendars.CALENDAR_BASIS_NOTICE)
    clock = await town.clock_of(case)
    assert (day(clock.promised_date), clock.provisional) == (date(2027, 1, 11), False)
    assert not (await counted(town, date(2026, 12, 30), date(2027, 1, 11))).provisional
    assert await town.part("DeadlineRecounter").recount() == 1

    told = [events.CalendarImported.FromString(data) for kind, data in await town.events() if "calendar" in kind][-2:]
    assert told == [
        events.CalendarImported(name="calendars/2027", revision=1, basis=calendars.CALENDAR_BASIS_PROVISIONAL),
        events.CalendarImported(
            name="calendars/2027",
            revision=2,
            basis=calendars.CALENDAR_BASIS_NOTICE,
            replaced_basis=calendars.CALENDAR_BASIS_PROVISIONAL,
            changed_days=2,
        ),
    ]
    (moved,) = [events.CaseRescheduled.FromString(data) for kind, data in await town.events() if "rescheduled" in kind]
    assert moved.case.name == case.name
    assert (day(moved.former_promised_date), day(moved.promised_date)) == (date(2027, 1, 7), date(2027, 1, 11))
    assert day(moved.statutory_date) == date(2027, 1, 11)  # the five days of acceptance are the law's


async def test_a_provisional_year_is_entered_once(town: Town) -> None:
    number = request_id()
    assert await entered(town, 2027, number) == await entered(town, 2027, number)
    with pytest.raises(FailedPrecondition) as refused:
        await entered(town, 2027)
    assert (refused.value.reason, refused.value.metadata["state"]) == ("STATE_CONFLICT", "PROVISIONAL")
    with pytest.raises(FailedPrecondition) as settled:
        await entered(town, 2026)
    assert settled.value.metadata["state"] == "NOTICE"
    request = calendars.EnterProvisionalCalendarRequest(year=2028, request_id=request_id())
    with pytest.raises(PermissionDenied):
        await town.call(town.calendars.EnterProvisionalCalendar, request, calendars.Calendar, town.person)


async def test_a_year_is_imported_as_its_notice_states_it(town: Town) -> None:
    festivals = [
        calendars.Festival(
            display_name=each.name,
            start_date=date_message(each.first_day),
            end_date=date_message(each.last_day),
            swapped_dates=map(date_message, each.swapped_days),
            make_up_dates=map(date_message, each.make_up_workdays),
        )
        for each in notices.shipped()[2026].festivals
    ]
    request = calendars.ImportCalendarRequest(year=2026, festivals=festivals, source=NOTICE, request_id=request_id())
    get = calendars.GetCalendarRequest(name="calendars/2026")
    before = await town.call(town.calendars.GetCalendar, get, calendars.Calendar, "")
    made = await town.call(town.calendars.ImportCalendar, request, calendars.Calendar, town.system)
    assert (made.revision, made.working_days, made.days) == (2, 248, before.days)
    for festivals_given, days_given in ((festivals, before.days), ([], [])):
        broken = calendars.ImportCalendarRequest(
            year=2026, festivals=festivals_given, days=days_given, source=NOTICE, request_id=request_id()
        )
        with pytest.raises(InvalidArgument) as refused:
            await town.call(town.calendars.ImportCalendar, broken, calendars.Calendar, town.system)
        assert [(each.field, each.rule) for each in refused.value.violations] == [("festivals", "calendar.either")]


async def test_a_missing_year_is_reported_until_its_notice_is_there(town: Town) -> None:
    """The item's limit by law is 20 working days, a sharing of data takes 30: with an extension of 10 and 90 days ahead."""
    watch = town.part("CalendarWatch")

    async def shown(today: date) -> tuple[float, float, float]:
        town.at(today)
        await watch.look()
        unsettled = metrics.CALENDAR_UNSETTLED
        missing, provisional = (unsettled.labels(basis)._value.get() for basis in ("MISSING", "PROVISIONAL"))
        return missing, provisional, metrics.WARNING.labels("calendar")._value.get()

    await town.item()
    # 90 days after 4 August are 2 November; 40 working days from there end on 28 December, and from 6 November on in 2027.
    assert await shown(date(2026, 8, 4)) == (0, 0, 0)
    assert await shown(date(2026, 8, 10)) == (2027, 0, 1)
    await entered(town, 2027)
    assert await shown(date(2026, 11, 26)) == (0, 2027, 1)
    await imported(town, 2027)
    assert await shown(date(2026, 11, 26)) == (0, 0, 0)


async def test_a_longer_limit_reaches_a_missing_year_earlier(town: Town) -> None:
    town.at(date(2026, 6, 1))
    watch = town.part("CalendarWatch")
    await watch.look()
    assert metrics.WARNING.labels("calendar")._value.get() == 0
    await town.item(statutory_limit=working_days(90), promised_limit=working_days(90))
    await watch.look()
    assert metrics.CALENDAR_UNSETTLED.labels("MISSING")._value.get() == 2027


async def test_what_comes_with_the_project_replaces_a_provisional_year(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A region that entered 2027 itself starts a newer release, which has the notice of 2027."""
    await entered(town, 2027)
    published = replace(notices.shipped()[2026], year=2027, source=NOTICE, festivals=FESTIVALS_2027)
    monkeypatch.setattr(notices, "shipped", lambda: {2027: published})
    api = CalendarApi(town.part("CalendarWatch")._parts)
    for _ in range(2):
        await api.set_up()
    get = calendars.GetCalendarRequest(name="calendars/2027")
    found = await town.call(town.calendars.GetCalendar, get, calendars.Calendar, "")
    assert (found.revision, found.basis, found.source) == (2, calendars.CALENDAR_BASIS_NOTICE, NOTICE)
