"""Between messages of the contracts and Python's own types: times, days, enum values."""

from datetime import UTC, date, datetime
from typing import Any, overload

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import invalid_field
from tongban.common.v1 import common_pb2

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wire_bytes(message: Message) -> bytes:
    """Returns the bytes by which a message leaves this process: what is sent, kept and digested is one and the same.

    Fields stand by ascending number, entries of maps by key; a test holds the library to it, so that a newer one can't
    change it unnoticed. What others sent is not digested over this but over their own bytes.
    """
    return message.SerializeToString(deterministic=True)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Returns ``moment`` (aware) as a Timestamp; None stays None, which a message takes as "not set"."""
    if moment is None:
        return None
    # By hand, because FromDatetime goes through calendar arithmetic: four times the cost, ten times an answer.
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def moment_of(message: Timestamp, field: str) -> datetime:
    """Returns the moment that a message names; raises FIELD_INVALID for one that no calendar has."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except ValueError as error:
        raise invalid_field(field, "timestamp.range", "must lie between the years 1 and 9999") from error


@overload
def date_message(day: date) -> common_pb2.Date: ...
@overload
def date_message(day: None) -> None: ...
@overload
def date_message(day: date | None) -> common_pb2.Date | None: ...
def date_message(day: date | None) -> common_pb2.Date | None:
    """Returns a day as a message; None stays None, which a message takes as "not set"."""
    return common_pb2.Date(year=day.year, month=day.month, day=day.day) if day else None


def working_days(amount: int) -> common_pb2.TimeLimit:
    """Returns a limit of so many working days."""
    return common_pb2.TimeLimit(amount=amount, unit=common_pb2.TIME_UNIT_WORKING_DAY)


def date_of(message: common_pb2.Date, field: str) -> date:
    """Returns the day that a message names; raises FIELD_INVALID for one that the calendar does not have."""
    try:
        return date(message.year, message.month, message.day)
    except ValueError:
        raise invalid_field(field, "date.calendar", "there is no such day") from None


class Names:
    """The values of one enum, written as rows and rules write them: without the prefix that the contract needs.

    The value 0 (``…_UNSPECIFIED``) is the empty string. ``enum`` is the generated class, ``pb.LicenseState``.
    """

    def __init__(self, enum: Any) -> None:
        values = enum.DESCRIPTOR.values
        prefix = values[0].name.removesuffix("UNSPECIFIED")
        self._names = {each.number: each.name.removeprefix(prefix) if each.number else "" for each in values}
        self._numbers = {name: number for number, name in self._names.items()}

    def name(self, number: int) -> str:
        """Returns what rows and rules call a value."""
        return self._names[number]

    def number(self, name: str) -> Any:
        """Returns the value that rows and rules call ``name``."""
        return self._numbers[name]
