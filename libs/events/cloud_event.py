"""CloudEvents 1.0 as they travel on Redis Streams: attributes as fields, data in protobuf."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}", re.ASCII)
_TYPE = re.compile(r"[a-z0-9_.]{1,100}", re.ASCII)
_LONGEST = 500
_DIGITS = 15
_SEQUENCE = re.compile(rb"[0-9]{1,15}")
SCHEMA_PATH = "/schemas/"
"""Where the gateway serves schemas of events."""


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
        sequence: its number among the events of its subject that have its audience (extension); 0 where it has none.
        public: whether others than the region's services are told of it (extension ``audience``).
        dataschema: where the schema of its data is served.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    data: bytes
    traceparent: str = ""
    sequence: int = 0
    public: bool = False
    dataschema: str = ""

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
            "dataschema": self.dataschema,
            "sequence": sequence_text(self.sequence),
            "audience": "public" if self.public else "internal",
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
        sequence=_number(text.get("sequence", b"")),
        public=text.get("audience") == b"public",
        dataschema=text.get("dataschema", b"").decode(),
    )
    words = (event.source, event.subject, event.traceparent, event.dataschema)
    if not (_ID.fullmatch(event.id) and _TYPE.fullmatch(event.type)) or event.time.tzinfo is None:
        raise ValueError("an attribute of the event is not of its form")
    if not all(word.isprintable() and len(word) <= _LONGEST for word in words):
        raise ValueError("an attribute of the event is no line of text")
    return event


def _number(sequence: bytes) -> int:
    if sequence and not _SEQUENCE.fullmatch(sequence):
        raise ValueError("the sequence is no number")
    return int(sequence or b"0")


def sequence_text(number: int) -> str:
    """Writes the number of an event among those of its subject: a text that sorts as numbers do (extension ``sequence``)."""
    return f"{number:0{_DIGITS}d}"


def schema_url(base_url: str, kind: str) -> str:
    """Returns where the gateway serves the JSON Schema of the data of a type: a type's version is its schema's."""
    return f"{base_url}{SCHEMA_PATH}{kind}.json"


def stream_of(region: str, service: str) -> str:
    """Returns the stream that a service's events go to."""
    return f"tongban:{region}:{service}:events"


def source_of(stream: str) -> str:
    """Returns the source whose events go to a stream; the inverse of ``stream_of``."""
    _, region, service, _ = stream.split(":")
    return f"//{region}/{service}"
