"""The region's one calendar, asked of ``cases``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import grpc

from libs.civil.calendar import CalendarBasis, DayKind, check_year
from libs.civil.calendar import DayRow as Day
from libs.rpc.client import invoke
from libs.rpc.messages import Names
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1.calendar_service_pb2_grpc import CalendarServiceStub

_BASES, _KINDS = Names(pb.CalendarBasis), Names(pb.DayKind)
_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class ToldYear:
    """A year as ``cases`` has it: what it rests on, and the kind of each of its days, in order."""

    year: int
    basis: CalendarBasis
    kinds: tuple[DayKind, ...]


class CalendarSource:
    """The calendar at ``cases``."""

    def __init__(self, cases: Callable[[], grpc.aio.Channel]) -> None:
        self._cases = cases

    async def newer(self, edition: int) -> tuple[int, list[ToldYear]]:
        """Returns the newest edition and its years; no years where ``edition`` is the newest.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE.
            InvalidArgument: CALENDAR_INCOMPLETE, what came is no year.
        """
        request = pb.ReadCalendarsRequest(edition=edition)
        ask = CalendarServiceStub(self._cases()).ReadCalendars
        answer = await invoke(ask, request, pb.ReadCalendarsResponse, to="cases", timeout=_TIMEOUT, token="")
        return answer.edition, [_told(each) for each in answer.calendars]


def _told(message: pb.Calendar) -> ToldYear:
    year = int(message.name.removeprefix("calendars/"))
    days = check_year(year, (Day(_date(each), DayKind(_KINDS.name(each.kind))) for each in message.days))
    return ToldYear(year, CalendarBasis(_BASES.name(message.basis)), tuple(each.kind for each in days))


def _date(message: pb.CalendarDay) -> date:
    return date(message.date.year, message.date.month, message.date.day)
