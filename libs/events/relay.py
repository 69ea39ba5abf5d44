"""Moves committed events from the outbox to Redis Streams, in order, at least once."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from redis.exceptions import RedisError

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.protocol import begun
from libs.db.query import Query, of
from libs.db.schema import outbox
from libs.db.statement import Statement
from libs.events.cloud_event import Event, stream_of
from libs.events.wire import Wire
from libs.observability import metrics
from libs.observability.logs import logger

_log = logger(__name__)
_BATCH = 500
_POLL_SECONDS = 0.2
_GATHER_SECONDS = 0.02
_STREAM_LIMIT = 2_000_000


@of(outbox)
@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits, its data closed up."""

    seq: int
    id: str
    type: str
    subject: str
    traceparent: str
    time: datetime
    data: bytes


_NEXT = Query(OutboxRow, "SELECT {columns} FROM outbox ORDER BY seq LIMIT :size")
_DONE = Statement("DELETE FROM outbox WHERE seq = ANY(CAST(:seqs AS bigint[]))")


class Relay:
    """The one publisher of a service.

    Rows are read in the order of their sequence numbers. A number is drawn after the change took its row lock, so of
    two changes of one subject the later has the higher number and is not visible before the earlier: order per subject
    holds although transactions commit in any order. A crash between XADD and DELETE repeats events; consumers handle
    each id once.
    """

    def __init__(self, database: Database, wire: Wire, region: str, service: str, committed: asyncio.Event) -> None:
        self._database = database
        self._wire = wire
        self._source = f"//{region}/{service}"
        self._stream = stream_of(region, service)
        self._committed = committed

    async def run(self) -> None:
        """Publishes for ever, on one replica at a time."""
        await lead(self._database, f"relay:{self._source}", self._turn)

    async def _turn(self, connection: DatabaseConnection) -> None:
        while True:
            self._committed.clear()
            try:
                moved = await self._move(connection)
            except (RedisError, OSError) as error:
                _log.warning("events wait", error=type(error).__name__)
                moved = 0
            if moved < _BATCH:
                await self._wait()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._committed.wait()
                # A turn costs about a millisecond whatever it moves; under load the next commits come along.
                await asyncio.sleep(_GATHER_SECONDS)

    async def _move(self, connection: DatabaseConnection) -> int:
        async with begun(connection):
            rows = await _NEXT.all(connection, size=_BATCH)
            metrics.OUTBOX_LAG.set(len(rows))
            if rows:
                await self._publish(rows)
                await _DONE.execute(connection, {"seqs": [row.seq for row in rows]})
        return len(rows)

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        async with self._wire.redis.pipeline(transaction=True) as pipe:
            for row in rows:
                event = Event(row.id, self._source, row.type, row.subject, row.time, row.data, row.traceparent)
                pipe.xadd(self._stream, event.to_fields(), maxlen=_STREAM_LIMIT, approximate=True)  # type: ignore[arg-type]
            await pipe.execute()
