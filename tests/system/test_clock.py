"""The region goes on past the last holiday notice: its business clock is set forward, to 2026-12-04 and into 2027."""

from datetime import UTC, date, datetime
from functools import partial

import pytest

from deploy.local.demo import shared_data
from deploy.local.demo.application import PURPOSE, eventually
from deploy.local.demo.gateway import request_id
from libs.civil.calendar import DayKind, DayRow, provisional_rows
from tests.support.case_runs import CaseRun
from tests.support.regions import OPENING, PLAIN, Regions
from tongban.cases.v1 import calendar_service_pb2 as calendars
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import grant_service_pb2
from tongban.sharing.v1 import resources_pb2 as sharing

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _day(message: common_pb2.Date) -> date:
    return date(message.year, message.month, message.day)


async def _decided(regions: Regions, seed: int) -> cases.Clock:
    """Takes a case of 天宁 from application to decision, and reads its clock."""
    office = regions.handling
    run = CaseRun(office, PLAIN)
    await run.run(1, seed)
    context = common_pb2.UseContext(
        purpose_code="SUPERVISION", purpose="办件督办", case=run.names[0], department=office.department
    )
    request = case_service_pb2.GetClockRequest(name=f"{run.names[0]}/clock", use_context=context)
    return await office.gateway.using(await office.token_of("receiving")).call(request, cases.Clock)


async def _granted(regions: Regions) -> sharing.DataRequest:
    """Has 六安 grant 天宁 its data once more, and reads the request that led there."""
    provider = regions.home
    name = await shared_data.grant(provider, regions.handling, regions.resource, PURPOSE)
    token = await provider.token_of("data")
    get = grant_service_pb2.GetDataGrantRequest(name=name)
    grant = await provider.gateway.using(token).call(get, sharing.DataGrant)
    return await _read(regions, grant.request)


async def _read(regions: Regions, name: str) -> sharing.DataRequest:
    provider = regions.home
    token = await provider.token_of("data")
    request = grant_service_pb2.GetDataRequestRequest(name=name)
    return await provider.gateway.using(token).call(request, sharing.DataRequest)


async def _import_2027(regions: Regions, *off: date) -> None:
    rows = [DayRow(row.day, DayKind.SWAPPED_REST) if row.day in off else row for row in provisional_rows(2027)]
    days = [
        calendars.CalendarDay(
            date=common_pb2.Date(year=row.day.year, month=row.day.month, day=row.day.day),
            kind=calendars.DayKind.Value(f"DAY_KIND_{row.kind}"),
        )
        for row in rows
    ]
    for office in (regions.home, regions.handling):
        request = calendars.ImportCalendarRequest(
            year=2027, days=days, source="国办发明电〔2026〕9号", request_id=request_id()
        )
        await office.gateway.using(await office.admin_token()).call(request, calendars.Calendar)


async def _enter_2027(regions: Regions) -> calendars.CountWorkingDaysResponse:
    """Enters the year before its notice in both regions; returns what a bare count says then."""
    for office in (regions.home, regions.handling):
        request = calendars.EnterProvisionalCalendarRequest(year=2027, request_id=request_id())
        made = await office.gateway.using(await office.admin_token()).call(request, calendars.Calendar)
        assert made.basis == calendars.CALENDAR_BASIS_PROVISIONAL
    count = calendars.CountWorkingDaysRequest(
        start_date=common_pb2.Date(year=2026, month=12, day=4), end_date=common_pb2.Date(year=2027, month=1, day=4)
    )
    return await regions.home.gateway.using("").call(count, calendars.CountWorkingDaysResponse)


async def test_the_region_goes_on_past_the_last_notice(regions: Regions) -> None:
    try:
        regions.set_clock(datetime(2026, 12, 4, 1, tzinfo=UTC))
        clock, request = await _decided(regions, seed=20261204), await _granted(regions)
        assert clock.light == cases.LIGHT_YELLOW and clock.provisional  # two days are promised
        assert (_day(request.answer_due_date), _day(request.supply_due_date)) == (date(2026, 12, 18), date(2027, 1, 4))
        counted = await _enter_2027(regions)
        assert (counted.working_days, counted.provisional) == (20, True)
        regions.set_clock(datetime(2027, 3, 1, 1, tzinfo=UTC))
        clock, request = await _decided(regions, seed=20270301), await _granted(regions)
        assert clock.light == cases.LIGHT_YELLOW and clock.provisional  # two days are promised
        assert (_day(request.answer_due_date), _day(request.supply_due_date)) == (date(2027, 3, 15), date(2027, 3, 29))
        await _import_2027(regions, date(2027, 3, 8))
        clock = await _decided(regions, seed=20270302)
        assert not clock.provisional
        # Sharing takes the year over at the event; then the request of before follows the notice.
        await eventually(
            partial(_read, regions, request.name),
            lambda found: _day(found.answer_due_date) == date(2027, 3, 16),
            "the deadline after the notice",
        )
    finally:
        regions.set_clock(OPENING)
