"""Calendars as messages."""

from collections.abc import Sequence
from datetime import datetime

from libs.civil.calendar import DayKind, DayRow
from libs.rpc.messages import Names, date_message, date_of, timestamp
from tongban.cases.v1 import calendar_service_pb2 as pb

DAY_KINDS = Names(pb.DayKind)


def days_of(request: pb.ImportCalendarRequest) -> list[DayRow]:
    """Returns the days that a request brings; raises FIELD_INVALID for one that no calendar has."""
    return [
        DayRow(date_of(each.date, f"days[{place}].date"), DayKind(DAY_KINDS.name(each.kind)), each.note)
        for place, each in enumerate(request.days)
    ]


def calendar_message(
    year: int, revision: int, source: str, days: Sequence[DayRow], create_time: datetime
) -> pb.Calendar:
    """Builds the message of a revision of a year."""
    return pb.Calendar(
        name=f"calendars/{year}",
        revision=revision,
        source=source,
        days=[_day_message(each) for each in days],
        working_days=sum(each.kind.is_working for each in days),
        create_time=timestamp(create_time),
    )


def _day_message(row: DayRow) -> pb.CalendarDay:
    return pb.CalendarDay(date=date_message(row.day), kind=DAY_KINDS.number(row.kind), note=row.note)
