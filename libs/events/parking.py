"""Where events stand that could not be handled: in the service's database, in the form in which they travel."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from libs.background import forever
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.paging import Pages
from libs.db.query import Query, of
from libs.db.schema import parked_events
from libs.db.statement import Statement
from libs.errors import Internal, not_found, reasons
from libs.events.cloud_event import Event, from_fields, source_of
from libs.lists import fields
from libs.lists.listing import FilteredList, Scope
from libs.lists.paths import Order, Path
from libs.observability import metrics
from tongban.events.v1.parked_event_service_pb2 import ListParkedEventsRequest

UNREADABLE = "EVENT_UNREADABLE"
"""The reason of what no handler can read."""

_COUNT_SECONDS = 15.0
_THIS = "WHERE consumer = :consumer AND id = :id"
_PARK = Statement("""
INSERT INTO parked_events (consumer, id, source, type, subject, traceparent, time, data, reason, attempts)
VALUES (:consumer, :id, :source, :type, :subject, :traceparent, :time, :data, :reason, :attempts)
ON CONFLICT (consumer, id) DO UPDATE SET reason = excluded.reason, attempts = parked_events.attempts + excluded.attempts
""")
_COUNT = Statement("SELECT count(*) FROM parked_events")


@of(parked_events)
@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that was set aside, its data closed up as it travels."""

    consumer: str
    id: str
    source: str
    type: str
    subject: str
    traceparent: str
    time: datetime
    data: bytes
    reason: str
    attempts: int
    park_time: datetime

    @property
    def event(self) -> Event:
        """The event, closed up as it travels."""
        return Event(self.id, self.source, self.type, self.subject, self.time, self.data, self.traceparent)


_ONE = Query(ParkedEvent, f"SELECT {{columns}} FROM parked_events {_THIS}")  # noqa: S608 - texts of our own
_FAILED_AGAIN = Query(
    ParkedEvent,
    f"UPDATE parked_events SET reason = :reason, attempts = attempts + 1 {_THIS} RETURNING {{columns}}",  # noqa: S608 - as above
)
_TAKEN_OUT = Query(ParkedEvent, f"DELETE FROM parked_events {_THIS} RETURNING {{columns}}")  # noqa: S608 - as above
LISTED = FilteredList(
    ParkedEvent,
    ListParkedEventsRequest,
    parked_events,
    {
        **{name: fields.text(name) for name in ("type", "subject", "source", "reason")},
        "event_time": fields.moment("time"),
        "park_time": fields.moment("park_time"),
        "attempts": fields.number("attempts"),
    },
    {"park_time": Order(("park_time", "id"), (Path(("consumer",)),))},
    "park_time",
)


def wrapped(stream: bytes, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Event:
    """Returns an entry that is no event of ours as one without type, its fields for data, not yet closed up."""
    source, entry = source_of(stream.decode()), entry_id.decode()
    data = json.dumps({key.hex(): value.hex() for key, value in fields.items()}).encode()
    told = datetime.fromtimestamp(int(entry.partition("-")[0]) / 1000, UTC)
    return Event(f"unread-{source.rpartition('/')[2]}-{entry}", source, "", "", told, data)


def unwrapped(opened: Event) -> Event:
    """Reads what ``wrapped`` kept, as it came; raises KeyError or ValueError where it still is no event."""
    fields = json.loads(opened.data)
    return from_fields({bytes.fromhex(key): bytes.fromhex(value) for key, value in fields.items()})


def unreadable() -> Internal:
    """Builds the error for what no handler can read."""
    return reasons.event_unreadable("no handler can read the event")


class Parking:
    """The parked events of one service."""

    def __init__(self, database: Database, consumer: str) -> None:
        self._database = database
        self._consumer = consumer

    async def park(self, event: Event, reason: str, attempts: int) -> None:
        """Sets an event aside; returns only when that is committed. One that stands here already is told anew."""
        row = {**asdict(event), "consumer": self._consumer, "reason": reason, "attempts": attempts}
        async with self._database.read() as connection:
            await _PARK.execute(connection, row)

    async def get(self, identifier: str) -> ParkedEvent:
        """Returns a parked event; raises RESOURCE_NOT_FOUND."""
        async with self._database.read() as connection:
            return self._found(await _ONE.first(connection, **self._this(identifier)), identifier)

    async def page(self, pages: Pages, request: ListParkedEventsRequest) -> tuple[list[ParkedEvent], str]:
        """Lists parked events, those parked first at the head; returns a page, and the token of the next."""
        async with self._database.read() as connection:
            return await LISTED.page(connection, pages, request, [Scope({"consumer": self._consumer})])

    async def failed_again(self, connection: DatabaseConnection, identifier: str, reason: str) -> ParkedEvent:
        """Notes a replay that failed; raises RESOURCE_NOT_FOUND where the event is not parked any more."""
        changed = await _FAILED_AGAIN.first(connection, reason=reason, **self._this(identifier))
        return self._found(changed, identifier)

    async def take_out(self, connection: DatabaseConnection, identifier: str) -> ParkedEvent | None:
        """Deletes a parked event and returns it; None where it is not parked any more."""
        return await _TAKEN_OUT.first(connection, **self._this(identifier))

    async def watch(self) -> None:
        """Keeps the metric of parked events true, for ever."""
        await forever("parked events", self._count, _COUNT_SECONDS)

    async def _count(self) -> None:
        async with self._database.read() as connection:
            row = await _COUNT.first(connection, {})
        metrics.PARKED.set(row[0] if row else 0)

    def _this(self, identifier: str) -> dict[str, str]:
        return {"consumer": self._consumer, "id": identifier}

    def _found(self, row: ParkedEvent | None, identifier: str) -> ParkedEvent:
        if row is None:
            raise not_found(f"{self._consumer}/parkedEvents/{identifier}")
        return row
