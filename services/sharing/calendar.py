"""The region's one calendar as sharing sees it: that of ``cases``, kept for a few seconds, and never a reason to refuse."""

import asyncio
import time
from datetime import date
from functools import cache

import grpc

from libs.civil import notices
from libs.civil.calendar import Calendar, DayKind, DayRow
from libs.errors import TongbanError
from libs.observability.logs import logger
from libs.rpc.client import invoke
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1.calendar_service_pb2_grpc import CalendarServiceStub

_log = logger(__name__)
_KEEP_SECONDS = 5.0
_TIMEOUT = 1.0


@cache
def shipped() -> Calendar:
    """Returns the calendar that every region starts with."""
    return Calendar(notices.all_rows())


class RegionCalendar:
    """Asks ``cases`` for the calendar. While it is away the last answer holds, or else what every region starts with.

    That does no harm: deadlines are never stored here, only what they are derived from, so a later answer mends them all.
    """

    def __init__(self, cases: grpc.aio.Channel | None) -> None:
        self._stub = CalendarServiceStub(cases) if cases is not None else None
        self._calendar = shipped()
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def current(self) -> Calendar:
        """Returns the calendar, at most five seconds old while ``cases`` answers."""
        if self._stub is not None and self._until <= time.monotonic():
            async with self._asking:
                if self._until <= time.monotonic():
                    await self._ask(self._stub)
                    self._until = time.monotonic() + _KEEP_SECONDS
        return self._calendar

    async def _ask(self, stub: CalendarServiceStub) -> None:
        request = pb.ReadCalendarsRequest(edition=self._calendar.edition)
        try:
            answer = await invoke(
                stub.ReadCalendars, request, pb.ReadCalendarsResponse, to="cases", timeout=_TIMEOUT, token=""
            )
        except TongbanError as error:
            _log.warning("the region's calendar can't be read; the last one holds", reason=error.reason)
            return
        if answer.calendars:
            rows = (_row(day) for year in answer.calendars for day in year.days)
            self._calendar = Calendar(rows, answer.edition)

    def forget(self) -> None:
        """Asks anew at the next use."""
        self._until = 0.0


def _row(day: pb.CalendarDay) -> DayRow:
    kind = DayKind(pb.DayKind.Name(day.kind).removeprefix("DAY_KIND_"))
    return DayRow(date(day.date.year, day.date.month, day.date.day), kind, day.note)
