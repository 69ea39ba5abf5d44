"""Calendars as messages."""

from collections.abc import Iterable, Sequence
from datetime import date

from libs.civil.calendar import DayKind, DayRow
from libs.civil.festivals import Festival
from libs.rpc.messages import Names, date_message, date_of, timestamp
from services.cases.core.calendars import YearRevision
from tongban.cases.v1 import calendar_service_pb2 as pb
from tongban.common.v1 import common_pb2

BASES, DAY_KINDS = Names(pb.CalendarBasis), Names(pb.DayKind)


def days_of(request: pb.ImportCalendarRequest) -> list[DayRow]:
    """Returns the days that a request brings; raises FIELD_INVALID for one that no calendar has."""
    return [
        DayRow(date_of(each.date, f"days[{place}].date"), DayKind(DAY_KINDS.name(each.kind)), each.note)
        for place, each in enumerate(request.days)
    ]


def festivals_of(request: pb.ImportCalendarRequest) -> list[Festival]:
    """Returns the festivals that a request brings; raises FIELD_INVALID for a day that no calendar has."""
    return [_festival(each, f"festivals[{place}]") for place, each in enumerate(request.festivals)]


def _festival(message: pb.Festival, field: str) -> Festival:
    return Festival(
        message.display_name,
        date_of(message.start_date, f"{field}.start_date"),
        date_of(message.end_date, f"{field}.end_date"),
        _dates(message.swapped_dates, f"{field}.swapped_dates"),
        _dates(message.make_up_dates, f"{field}.make_up_dates"),
    )


def _dates(messages: Iterable[common_pb2.Date], field: str) -> tuple[date, ...]:
    return tuple(date_of(each, f"{field}[{place}]") for place, each in enumerate(messages))


def calendar_message(year: YearRevision, days: Sequence[DayRow]) -> pb.Calendar:
    """Builds the message of a revision of a year."""
    return pb.Calendar(
        name=f"calendars/{year.year}",
        revision=year.revision,
        basis=BASES.number(year.basis),
        source=year.source,
        days=[_day_message(each) for each in days],
        working_days=sum(each.kind.is_working for each in days),
        create_time=timestamp(year.create_time),
    )


def _day_message(row: DayRow) -> pb.CalendarDay:
    return pb.CalendarDay(date=date_message(row.day), kind=DAY_KINDS.number(row.kind), note=row.note)
