"""Times between Python and protobuf."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Returns ``moment`` (aware) as a Timestamp; None stays None, which a message takes as "not set"."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message
