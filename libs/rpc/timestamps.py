"""Times between Python and protobuf."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Returns ``moment`` (aware) as a Timestamp; None stays None, which a message takes as "not set"."""
    if moment is None:
        return None
    # By hand, because FromDatetime goes through calendar arithmetic: four times the cost, ten times an answer.
    since = moment - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)
