"""CalendarService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.catalogue import Calendars
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1.calendar_service_pb2_grpc import CalendarServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CalendarServicer(CalendarServiceServicer):
    """Serves ``tongban.cases.v1.CalendarService``."""

    def __init__(self, calendars: Calendars) -> None:
        self._calendars = calendars

    async def ImportCalendar(self, request: pb.ImportCalendarRequest, context: Context) -> pb.Calendar:
        """Imports a year."""
        return await self._calendars.import_year(command_of(request), request)

    async def GetCalendar(self, request: pb.GetCalendarRequest, context: Context) -> pb.Calendar:
        """Gets a year."""
        return await self._calendars.get(request.name)

    async def CountWorkingDays(
        self, request: pb.CountWorkingDaysRequest, context: Context
    ) -> pb.CountWorkingDaysResponse:
        """Counts working days."""
        return await self._calendars.count(request)

    async def ReadCalendars(self, request: pb.ReadCalendarsRequest, context: Context) -> pb.ReadCalendarsResponse:
        """Reads all years."""
        return await self._calendars.read(request)
