"""CloudEvents 1.0 as they travel on Redis Streams: attributes as fields, data in protobuf."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}", re.ASCII)
_TYPE = re.compile(r"[a-z0-9_.]{1,100}", re.ASCII)
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Event:
    """One event (CloudEvents 1.0, section 3.1).

    Attributes:
        id: unique within ``source``; the key under which a consumer handles it once.
        source: ``//<region>/<service>``.
        type: ``cn.tongban.cases.case.accepted.v1``.
        subject: the resource's name; events of one subject keep their order.
        time: when the change was committed.
        data: the protobuf message of the service's package.
        traceparent: the trace of the change (extension).
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: bytes
    traceparent: str = ""

    def to_fields(self) -> dict[str, str | bytes]:
        """Returns the fields of the stream entry."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.astimezone(UTC).isoformat(),
            "datacontenttype": "application/protobuf",
            "traceparent": self.traceparent,
            "data": self.data,
        }


def from_fields(fields: Mapping[bytes, bytes]) -> Event:
    """Reads a stream entry; raises KeyError or ValueError for one that is no CloudEvent of ours.

    What it returns can be stored as it is: an event that can be read but not be parked would stop all that come after.
    """
    text = {key.decode(): value for key, value in fields.items()}
    event = Event(
        id=text["id"].decode(),
        source=text["source"].decode(),
        type=text["type"].decode(),
        subject=text["subject"].decode(),
        time=datetime.fromisoformat(text["time"].decode()),
        data=text["data"],
        traceparent=text.get("traceparent", b"").decode(),
    )
    words = (event.source, event.subject, event.traceparent)
    if not (_ID.fullmatch(event.id) and _TYPE.fullmatch(event.type)) or event.time.tzinfo is None:
        raise ValueError("an attribute of the event is not of its form")
    if not all(word.isprintable() and len(word) <= _LONGEST for word in words):
        raise ValueError("an attribute of the event is no line of text")
    return event


def stream_of(region: str, service: str) -> str:
    """Returns the stream that a service's events go to."""
    return f"tongban:{region}:{service}:events"


def source_of(stream: str) -> str:
    """Returns the source whose events go to a stream; the inverse of ``stream_of``."""
    _, region, service, _ = stream.split(":")
    return f"//{region}/{service}"
