"""The region's one calendar as sharing sees it: that of ``cases``, kept for a few seconds, and never a reason to refuse."""

from collections.abc import Callable
from datetime import date
from functools import cache

import grpc

from libs.civil import notices
from libs.civil.calendar import Calendar, DayKind, DayRow
from libs.errors import TongbanError
from libs.observability.logs import logger
from libs.rpc.client import invoke
from libs.timed_cache import TimedCache
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1.calendar_service_pb2_grpc import CalendarServiceStub

_log = logger(__name__)
_KEEP_SECONDS = 5.0
_TIMEOUT = 1.0


@cache
def initial_calendar() -> Calendar:
    """Returns the calendar that every region starts with."""
    return Calendar(notices.all_rows())


class RegionCalendar:
    """Asks ``cases`` for the calendar. While it is away the last answer holds, or else what every region starts with.

    That does no harm: deadlines are never stored here, only what they are derived from, so a later answer mends them all.
    """

    def __init__(self, cases: Callable[[], grpc.aio.Channel] | None) -> None:
        self._cases = cases
        self._last = initial_calendar()
        self._kept: TimedCache[Calendar] = TimedCache(_KEEP_SECONDS)

    async def current(self) -> Calendar:
        """Returns the calendar, at most five seconds old while ``cases`` answers."""
        if self._cases is None:
            return self._last
        self._last = await self._kept.get("", self._asked)
        return self._last

    async def _asked(self) -> Calendar:
        assert self._cases is not None
        stub, request = CalendarServiceStub(self._cases()), pb.ReadCalendarsRequest(edition=self._last.edition)
        try:
            answer = await invoke(
                stub.ReadCalendars, request, pb.ReadCalendarsResponse, to="cases", timeout=_TIMEOUT, token=""
            )
        except TongbanError as error:
            _log.warning("the region's calendar can't be read; the last one holds", reason=error.reason)
            return self._last
        if not answer.calendars:
            return self._last
        return Calendar((_row(day) for year in answer.calendars for day in year.days), answer.edition)


def _row(day: pb.CalendarDay) -> DayRow:
    kind = DayKind(pb.DayKind.Name(day.kind).removeprefix("DAY_KIND_"))
    return DayRow(date(day.date.year, day.date.month, day.date.day), kind, day.note)
