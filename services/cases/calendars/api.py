"""CalendarService: the region's working-day calendar."""

from libs.civil import notices
from libs.db.command import Command, command_of
from libs.db.uow import Transaction, derived_request_id
from libs.rpc.call import Call
from libs.rpc.messages import date_of
from services.cases.calendars import store
from services.cases.calendars.convert import calendar_message, days_of
from services.cases.calendars.rules import check_import, count_working_days
from services.cases.core.access import SELF
from services.cases.core.cases import id_of
from services.cases.core.parts import Parts
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1 import events_pb2 as events


class CalendarApi:
    """Keeps the calendar."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def set_up(self) -> None:
        """Gives a new region the years that are known; a region that has them keeps its own."""

        async def work(tx: Transaction) -> pb.Calendar:
            for year in notices.YEARS:
                await store.add(tx.connection, year, 1, notices.SOURCE, notices.calendar_rows(year), tx.now)
            return pb.Calendar(name="calendars")

        await self._parts.uow.run(_first_start(), work)

    async def import_calendar(self, request: pb.ImportCalendarRequest, call: Call) -> pb.Calendar:
        """Imports a year's next revision, or nothing of it."""
        rows, year, source = days_of(request), request.year, request.source

        async def work(tx: Transaction) -> pb.Calendar:
            known = await store.lock_years(tx.connection)
            days = check_import(year, rows, source, frozenset(known))
            revision = known.get(year, 0) + 1
            await store.add(tx.connection, year, revision, source, days, tx.now)
            message = calendar_message(year, revision, source, days, tx.now)
            tx.emit(message.name, events.CalendarImported(name=message.name, revision=revision))
            return message

        answer = await self._parts.uow.run(command_of(request, call=call), work)
        self._parts.calendars.forget()
        return answer

    async def get_calendar(self, request: pb.GetCalendarRequest, call: Call) -> pb.Calendar:
        """Reads the newest revision of a year."""
        return await self._year(int(id_of(request.name)))

    async def _year(self, year: int) -> pb.Calendar:
        found, days = await store.year(self._parts.database, year)
        return calendar_message(year, found.revision, found.source, days, found.create_time)

    async def read_calendars(self, request: pb.ReadCalendarsRequest, call: Call) -> pb.ReadCalendarsResponse:
        """Reads the newest revisions of all years, unless the caller has this edition already."""
        edition, years = await store.edition(self._parts.database)
        answer = pb.ReadCalendarsResponse(edition=edition)
        if edition != request.edition:
            answer.calendars.extend([await self._year(year) for year in years])
        return answer

    async def count_working_days(self, request: pb.CountWorkingDaysRequest, call: Call) -> pb.CountWorkingDaysResponse:
        """Counts the working days between two days."""
        start, end = date_of(request.start_date, "start_date"), date_of(request.end_date, "end_date")
        days = count_working_days(await self._parts.calendars.current(), start, end)
        return pb.CountWorkingDaysResponse(working_days=days)


def _first_start() -> Command:
    """The first start of a region's calendar; the years are part of its key, so that new ones are added once."""
    years = ",".join(map(str, notices.YEARS))
    return Command(
        caller=SELF,
        method="cases:setUp",
        request_id=derived_request_id("calendar", years),
        digest=years.encode(),
        response_type=pb.Calendar,
        actor=SELF,
    )
