"""CloudEvents 1.0 as they travel on Redis Streams: attributes as fields, data in protobuf."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One event (CloudEvents 1.0, section 3.1).

    Attributes:
        id: unique within ``source``; the key under which a consumer handles it once.
        source: ``//<region>/<service>``.
        type: ``cn.tongban.case.accepted.v1``.
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
            "specversion": "1.0", "id": self.id, "source": self.source, "type": self.type, "subject": self.subject,
            "time": self.time.astimezone(UTC).isoformat(), "datacontenttype": "application/protobuf",
            "traceparent": self.traceparent, "data": self.data,
        }  # fmt: skip


def from_fields(fields: Mapping[bytes, bytes]) -> Event:
    """Reads a stream entry; raises KeyError or ValueError for one that is no CloudEvent of ours."""
    text = {key.decode(): value for key, value in fields.items()}
    return Event(
        id=text["id"].decode(), source=text["source"].decode(), type=text["type"].decode(),
        subject=text["subject"].decode(), time=datetime.fromisoformat(text["time"].decode()), data=text["data"],
        traceparent=text.get("traceparent", b"").decode(),
    )  # fmt: skip


def stream_of(region: str, service: str) -> str:
    """Returns the stream that a service's events go to."""
    return f"tongban:{region}:{service}:events"
