"""Sharing counts by the region's one calendar, whatever year it is, and whether or not cases answers."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from libs.civil.calendar import CalendarBasis, DayKind, DayRow, provisional_rows
from libs.clock import FakeClock
from libs.errors import Unavailable
from libs.events.cloud_event import Event
from services.sharing.calendars.worker import CalendarFollower
from services.sharing.core.calendar import CalendarCopy
from services.sharing.integrations.calendar import ToldYear
from tests.service.cases.conftest import Town, running
from tests.service.sharing.conftest import (
    Sharing,
    make_source,
    request_id,
    terms,
)
from tests.service.sharing.identity import identity_beside
from tests.support.backends import HOST
from tests.support.service import Ground, serving
from tongban.cases.v1 import calendar_service_pb2 as calendars
from tongban.cases.v1.events_pb2 import CalendarImported
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import grant_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as messages


def day(message: common_pb2.Date) -> date:
    return date(message.year, message.month, message.day)


def message_of(row: DayRow) -> calendars.CalendarDay:
    date_message = common_pb2.Date(year=row.day.year, month=row.day.month, day=row.day.day)
    return calendars.CalendarDay(date=date_message, kind=calendars.DayKind.Value(f"DAY_KIND_{row.kind}"))


@pytest.mark.parametrize(
    ("today", "answer", "supply"),
    [
        (date(2026, 12, 4), date(2026, 12, 18), date(2027, 1, 4)),
        (date(2027, 3, 1), date(2027, 3, 15), date(2027, 3, 29)),
        (date(2031, 1, 2), date(2031, 1, 16), date(2031, 1, 30)),
    ],
)
async def test_a_request_is_granted_whatever_the_day(sharing: Sharing, today: date, answer: date, supply: date) -> None:
    sharing.clock.move_to(datetime(today.year, today.month, today.day, 2, tzinfo=UTC))
    request = await sharing.requested(await sharing.published(), terms())
    await sharing.in_review(request.name)
    done = await sharing.approved(request.name)
    assert done.state == messages.DATA_REQUEST_STATE_GRANTED
    assert (day(done.answer_due_date), day(done.supply_due_date)) == (answer, supply)


async def _beside_cases(ground: Ground, town: Town, folder: Path, identity: str) -> Any:
    owner, source = await make_source(ground, folder)
    cases = f"{HOST}:{town.service.process.config.grpc.port}"
    extra: dict[str, Any] = {"data_sources": {"registry": source}, "neighbours": {"identity": identity, "cases": cases}}
    return owner, extra


def _follower(sharing: Sharing) -> CalendarFollower:
    tasks = (getattr(task, "__self__", None) for task in sharing.service.process._tasks)
    return next(each for each in tasks if isinstance(each, CalendarFollower))


async def _told(sharing: Sharing, **told: Any) -> None:
    """Hands the service the event of an import, as its consumer would."""
    event = Event(
        id=request_id(),
        source="//341500/cases",
        type="cn.tongban.cases.calendar.imported.v1",
        subject="calendars/2027",
        time=sharing.clock.now(),
        data=b"",
    )
    await _follower(sharing).imported(event, CalendarImported(name="calendars/2027", **told))


async def _in_review(sharing: Sharing) -> Callable[[], Awaitable[date]]:
    """A request of 25 December 2026 that waits for its answer; returns what tells until when."""
    request = await sharing.requested(await sharing.published(), terms())
    await sharing.in_review(request.name)

    async def due() -> date:
        get = pb.GetDataRequestRequest(name=request.name)
        found = await sharing.call(sharing.grants.GetDataRequest, get, messages.DataRequest, sharing.officer())
        return day(found.answer_due_date)

    return due


async def _imported(town: Town, *off: date) -> None:
    rows = [DayRow(row.day, DayKind.SWAPPED_REST) if row.day in off else row for row in provisional_rows(2027)]
    notice = calendars.ImportCalendarRequest(
        year=2027, days=map(message_of, rows), source="国办发明电〔2026〕9号", request_id=request_id()
    )
    await town.call(town.calendars.ImportCalendar, notice, calendars.Calendar, town.system)


_JANUARY = (date(2027, 1, 4), date(2027, 1, 5), date(2027, 1, 6))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 12, 25, 2, tzinfo=UTC))


async def test_what_is_imported_at_cases_moves_the_deadlines_here(
    ground: Ground, tmp_path: Path, clock: FakeClock
) -> None:
    """The notice of 2027 makes 4 to 6 January rest days; a request of before follows it, and keeps it without cases."""
    async with AsyncExitStack() as cases, identity_beside(ground, f"http://{HOST}:1") as identity:
        town = await cases.enter_async_context(running(ground))
        owner, extra = await _beside_cases(ground, town, tmp_path, identity)
        async with serving(ground, "sharing", clock, **extra) as service:
            sharing = Sharing(service, clock, owner)
            due = await _in_review(sharing)
            assert await due() == date(2027, 1, 11)
            await _imported(town, *_JANUARY)
            await _told(sharing)
            assert await due() == date(2027, 1, 14)
            await cases.aclose()
            with pytest.raises(Unavailable):
                await _told(sharing)
            # A process of its own, which never heard of it: what was copied is in the database.
            fresh = CalendarCopy(service.process.database)
            assert (await fresh.current()).add(date(2026, 12, 25), 10) == date(2027, 1, 14)


async def test_an_import_whose_event_was_lost_is_found(ground: Ground, tmp_path: Path, clock: FakeClock) -> None:
    async with running(ground) as town, identity_beside(ground, f"http://{HOST}:1") as identity:
        owner, extra = await _beside_cases(ground, town, tmp_path, identity)
        await _imported(town, *_JANUARY)
        async with serving(ground, "sharing", clock, **extra) as service:
            sharing = Sharing(service, clock, owner)
            await _follower(sharing).follow()
            assert await (await _in_review(sharing))() == date(2027, 1, 14)


async def test_a_provisional_year_is_known_as_such(ground: Ground, tmp_path: Path, clock: FakeClock) -> None:
    async with running(ground) as town, identity_beside(ground, f"http://{HOST}:1") as identity:
        owner, extra = await _beside_cases(ground, town, tmp_path, identity)
        async with serving(ground, "sharing", clock, **extra) as service:
            sharing = Sharing(service, clock, owner)
            copy = _follower(sharing)._copy
            request = calendars.EnterProvisionalCalendarRequest(year=2027, request_id=request_id())
            await town.call(town.calendars.EnterProvisionalCalendar, request, calendars.Calendar, town.system)
            await _told(sharing)
            assert 2027 in (await copy.current()).known_years - (await copy.current()).settled_years
            await _imported(town)
            await _told(sharing)
            assert 2027 in (await copy.current()).settled_years


async def test_where_cases_was_put_back_from_an_older_copy_so_is_the_copy(sharing: Sharing) -> None:
    copy = _follower(sharing)._copy
    years = [
        ToldYear(year, CalendarBasis.NOTICE, tuple(row.kind for row in provisional_rows(year))) for year in (2026, 2027)
    ]
    await copy.take(7, years)
    assert (await copy.current()).settled_years == {2026, 2027}
    await copy.take(6, [replace(years[0], basis=CalendarBasis.PROVISIONAL)])
    calendar = await copy.current()
    assert (calendar.edition, sorted(calendar.known_years)) == (6, [2026])
    assert not calendar.settled_years


async def test_where_cases_never_answered_requests_are_granted_all_the_same(ground: Ground, tmp_path: Path) -> None:
    clock = FakeClock(datetime(2026, 12, 4, 2, tzinfo=UTC))
    async with identity_beside(ground, f"http://{HOST}:1") as identity:
        owner, source = await make_source(ground, tmp_path)
        extra: dict[str, Any] = {
            "data_sources": {"registry": source},
            "neighbours": {"identity": identity, "cases": f"{HOST}:1"},
        }
        async with serving(ground, "sharing", clock, **extra) as service:
            sharing = Sharing(service, clock, owner)
            request = await sharing.requested(await sharing.published(), terms())
            await sharing.in_review(request.name)
            done = await sharing.approved(request.name)
            assert (done.state, day(done.answer_due_date)) == (messages.DATA_REQUEST_STATE_GRANTED, date(2026, 12, 18))
