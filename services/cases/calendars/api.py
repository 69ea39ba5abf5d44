"""CalendarService: the region's working-day calendar."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from libs.civil import notices
from libs.civil.calendar import CalendarBasis, DayRow, provisional_rows
from libs.db.command import Command, command_of
from libs.db.uow import Transaction, derived_request_id
from libs.errors import invalid_field
from libs.rpc.call import Call
from libs.rpc.messages import date_of
from services.cases.calendars import store
from services.cases.calendars.convert import BASES, calendar_message, days_of, festivals_of
from services.cases.calendars.rules import (
    PROVISIONAL_SOURCE,
    GivenDay,
    changed_days,
    check_import,
    check_provisional,
    count_working_days,
    days_given,
    festivals_given,
)
from services.cases.core.access import SELF
from services.cases.core.calendars import NewestRevision, YearRevision
from services.cases.core.cases import id_of
from services.cases.core.parts import Parts
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.cases.v1 import events_pb2 as events


class CalendarApi:
    """Keeps the calendar."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def set_up(self) -> None:
        """Gives a region the years that come with the project; one whose notice is there stays as it is."""

        async def work(tx: Transaction) -> pb.Calendar:
            known = await store.lock_years(tx.connection)
            for year, notice in notices.shipped().items():
                if year not in known or known[year].basis is CalendarBasis.PROVISIONAL:
                    await _add(tx, known, _EnteredYear(year, CalendarBasis.NOTICE, notice.source, notice.rows()))
            return pb.Calendar(name="calendars")

        await self._parts.uow.run(_first_start(), work)

    async def import_calendar(self, request: pb.ImportCalendarRequest, call: Call) -> pb.Calendar:
        """Imports a year's next revision, or nothing of it."""
        given = _given(request)

        async def work(tx: Transaction) -> pb.Calendar:
            known = await store.lock_years(tx.connection)
            days = check_import(request.year, given, request.source, known)
            return await _add(tx, known, _EnteredYear(request.year, CalendarBasis.NOTICE, request.source, days))

        return await self._changed(command_of(request, call=call), work)

    async def enter_provisional_calendar(self, request: pb.EnterProvisionalCalendarRequest, call: Call) -> pb.Calendar:
        """Enters a year before its notice is there, as the law alone gives it."""
        year = request.year

        async def work(tx: Transaction) -> pb.Calendar:
            known = await store.lock_years(tx.connection)
            check_provisional(year, {each.year: each.basis for each in known.values()})
            made = _EnteredYear(year, CalendarBasis.PROVISIONAL, PROVISIONAL_SOURCE, provisional_rows(year))
            return await _add(tx, known, made)

        return await self._changed(command_of(request, call=call), work)

    async def _changed(self, command: Command, work: Callable[[Transaction], Awaitable[pb.Calendar]]) -> pb.Calendar:
        answer = await self._parts.uow.run(command, work)
        self._parts.calendars.forget()
        return answer

    async def get_calendar(self, request: pb.GetCalendarRequest, call: Call) -> pb.Calendar:
        """Reads the newest revision of a year."""
        return await self._year(int(id_of(request.name)))

    async def _year(self, year: int) -> pb.Calendar:
        return calendar_message(*await store.year(self._parts.database, year))

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
        count = count_working_days(await self._parts.calendars.current(), start, end)
        return pb.CountWorkingDaysResponse(working_days=count.days, provisional=count.provisional)


@dataclass(frozen=True, slots=True)
class _EnteredYear:
    """What is written of a year."""

    year: int
    basis: CalendarBasis
    source: str
    days: Sequence[DayRow]


def _given(request: pb.ImportCalendarRequest) -> list[GivenDay]:
    if bool(request.days) == bool(request.festivals):
        raise invalid_field("festivals", "calendar.either", "either the festivals or all days must be given")
    if request.days:
        return days_given(days_of(request))
    return festivals_given(request.year, festivals_of(request))


async def _add(tx: Transaction, known: Mapping[int, NewestRevision], made: _EnteredYear) -> pb.Calendar:
    """Writes a year's next revision and tells of it."""
    former = known.get(made.year)
    before = await store.days_of(tx.connection, former.year, former.revision) if former else []
    revision = YearRevision(made.year, former.revision + 1 if former else 1, made.basis, made.source, tx.now)
    await store.add(tx.connection, revision, made.days)
    message = calendar_message(revision, made.days)
    told = events.CalendarImported(
        name=message.name,
        revision=revision.revision,
        basis=message.basis,
        replaced_basis=BASES.number(former.basis) if former else pb.CALENDAR_BASIS_UNSPECIFIED,
        changed_days=changed_days(before, made.days),
    )
    tx.emit(message.name, told)
    return message


def _first_start() -> Command:
    """The first start with these notices; the years are part of its key, so that new ones are added once."""
    years = ",".join(map(str, notices.shipped()))
    return Command(
        caller=SELF,
        method="cases:setUp",
        request_id=derived_request_id("calendar", years),
        digest=years.encode(),
        response_type=pb.Calendar,
        actor=SELF,
    )
