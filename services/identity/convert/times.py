"""Times that requests carry."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import invalid_field


def moment(message: Timestamp, field: str) -> datetime:
    """Returns a Timestamp as an aware moment; raises InvalidArgument FIELD_INVALID where no calendar has it."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except ValueError as error:
        raise invalid_field(field, "timestamp.range", "must lie between the years 1 and 9999") from error
