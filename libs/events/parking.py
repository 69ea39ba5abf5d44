"""Where events stand that could not be handled: in the service's database, in the form in which they travel."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.background import forever
from libs.db.engine import Database, Row
from libs.db.schema import parked_events
from libs.errors import Internal, not_found, reasons
from libs.events.cloud_event import Event, from_fields, source_of
from libs.observability import metrics

UNREADABLE = "EVENT_UNREADABLE"
"""The reason of what no handler can read."""

_COUNT_SECONDS = 15.0
_C = parked_events.c
_PLACE = sa.tuple_(_C.park_time, _C.id)
_NEW = insert(parked_events)
_PARK = _NEW.on_conflict_do_update(
    index_elements=[_C.consumer, _C.id],
    set_={"reason": _NEW.excluded.reason, "attempts": _C.attempts + _NEW.excluded.attempts},
)
_COUNT = sa.select(sa.func.count()).select_from(parked_events)


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


def event_of(row: Row) -> Event:
    """Returns a parked event, closed up as it travels."""
    return Event(row.id, row.source, row.type, row.subject, row.time, row.data, row.traceparent)


class Parking:
    """The parked events of one service."""

    def __init__(self, database: Database, consumer: str) -> None:
        self._database = database
        self._consumer = consumer

    async def park(self, event: Event, reason: str, attempts: int) -> None:
        """Sets an event aside; returns only when that is committed. One that stands here already is told anew."""
        row = {**asdict(event), "consumer": self._consumer, "reason": reason, "attempts": attempts}
        async with self._database.transaction() as connection:
            await connection.execute(_PARK.values(row))

    async def get(self, identifier: str) -> Row:
        """Returns a parked event; raises RESOURCE_NOT_FOUND."""
        query = sa.select(parked_events).where(self._this(identifier))
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(query)).first()
        return self._found(row, identifier)

    async def page(self, kind: str, after: tuple[datetime, str] | None, size: int) -> Sequence[Row]:
        """Lists parked events, those parked first at the head; of one type, unless ``kind`` is empty."""
        query = sa.select(parked_events).where(_C.consumer == self._consumer).order_by(_C.park_time, _C.id).limit(size)
        if kind:
            query = query.where(_C.type == kind)
        if after is not None:
            query = query.where(sa.tuple_(*(sa.literal(each) for each in after)) < _PLACE)
        async with self._database.read() as connection:
            return (await connection.execute(query)).all()

    async def failed_again(self, connection: AsyncConnection, identifier: str, reason: str) -> Row:
        """Notes a replay that failed; raises RESOURCE_NOT_FOUND where the event is not parked any more."""
        change = sa.update(parked_events).where(self._this(identifier)).returning(*_C)
        answer = await connection.execute(change.values(reason=reason, attempts=_C.attempts + 1))
        return self._found(answer.first(), identifier)

    async def take_out(self, connection: AsyncConnection, identifier: str) -> Row | None:
        """Deletes a parked event and returns it; None where it is not parked any more."""
        gone = await connection.execute(sa.delete(parked_events).where(self._this(identifier)).returning(*_C))
        row: Row | None = gone.first()
        return row

    async def watch(self) -> None:
        """Keeps the metric of parked events true, for ever."""
        await forever("parked events", self._count, _COUNT_SECONDS)

    async def _count(self) -> None:
        async with self._database.read() as connection:
            metrics.PARKED.set(await connection.scalar(_COUNT) or 0)

    def _this(self, identifier: str) -> Any:
        return sa.and_(_C.consumer == self._consumer, _C.id == identifier)

    def _found(self, row: Row | None, identifier: str) -> Row:
        if row is None:
            raise not_found(f"{self._consumer}/parkedEvents/{identifier}")
        return row
