"""Moves committed events from the outbox to Redis Streams, in order, at least once, and numbers them on the way."""

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
from libs.db.query import Query, joined, of
from libs.db.schema import event_sequences, outbox
from libs.db.statement import Statement
from libs.events.cloud_event import Event, schema_url, stream_of
from libs.events.wire import Wire
from libs.observability import metrics
from libs.observability.logs import logger

_log = logger(__name__)
_BATCH = 500
_POLL_SECONDS = 0.2
_GATHER_SECONDS = 0.02
_MANY, _GATHER_MANY_SECONDS = 8, 0.05
"""Where so many came since the last turn, it is waited for more a little longer."""
_STREAM_LIMIT = 2_000_000


@of(
    joined(
        id=outbox.c.id,
        type=outbox.c.type,
        subject=outbox.c.subject,
        public=outbox.c.public,
        sequence=event_sequences.c.last,
        traceparent=outbox.c.traceparent,
        time=outbox.c.time,
        data=outbox.c.data,
    )
)
@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that is taken out of the outbox, numbered, its data closed up."""

    id: str
    type: str
    subject: str
    public: bool
    sequence: int
    traceparent: str
    time: datetime
    data: bytes


_WAITING = Statement("SELECT FROM outbox LIMIT 1")
# One round trip: the rows leave the outbox, get their numbers, and the public ones their places among the changes.
_MOVED = Query(
    OutboxRow,
    """
WITH waiting AS (
  SELECT seq FROM outbox ORDER BY seq LIMIT :size
), taken AS (
  DELETE FROM outbox AS o USING waiting WHERE o.seq = waiting.seq RETURNING o.*
), counted AS (
  INSERT INTO event_sequences AS known (subject, public, last)
  SELECT subject, public, count(*) FROM taken GROUP BY subject, public ORDER BY subject, public
  ON CONFLICT (subject, public) DO UPDATE SET last = known.last + excluded.last
  RETURNING subject, public, last
), numbered AS (
  SELECT t.seq, t.id, t.type, t.subject, t.public, t.traceparent, t.time, t.data,
    c.last + 1 - row_number() OVER (PARTITION BY t.subject, t.public ORDER BY t.seq DESC) AS sequence
  FROM taken AS t JOIN counted AS c ON c.subject = t.subject AND c.public = t.public
), logged AS (
  INSERT INTO changes (id, type, subject, sequence, time, data)
  SELECT id, type, subject, sequence, time, data FROM numbered WHERE public ORDER BY seq
)
SELECT {columns} FROM numbered ORDER BY seq
""",
)


class Relay:
    """The one publisher of a service.

    Rows are read in the order of their sequence numbers. A number is drawn after the change took its row lock, so of
    two changes of one subject the later has the higher number and is not visible before the earlier: order per subject
    holds although transactions commit in any order. A crash between XADD and COMMIT repeats events under the same
    numbers; consumers handle each id once.

    It is also the one writer of ``changes``: positions there are given one batch after the other, so that who reads on
    after a position misses nothing, and ``sequence`` has no gap.
    """

    def __init__(
        self, database: Database, wire: Wire, region: str, service: str, committed: asyncio.Event, base_url: str
    ) -> None:
        self._base_url = base_url
        self._database = database
        self._wire = wire
        self._source = f"//{region}/{service}"
        self._stream = stream_of(region, service)
        self._committed = committed

    async def run(self) -> None:
        """Publishes for ever, on one replica at a time."""
        await lead(self._database, f"relay:{self._source}", self._turn)

    async def _turn(self, connection: DatabaseConnection) -> None:
        told = True
        while True:
            self._committed.clear()
            try:
                moved = await self._move(connection) if told or await self._any(connection) else 0
            except (RedisError, OSError) as error:
                _log.warning("events wait", error=type(error).__name__)
                moved = 0
            told = moved == _BATCH or await self._committed_meanwhile(
                _GATHER_SECONDS if moved < _MANY else _GATHER_MANY_SECONDS
            )

    async def _any(self, connection: DatabaseConnection) -> bool:
        """Looks whether another replica has committed something, or something was left: cheap, for mostly there is nothing."""
        waiting = await _WAITING.first(connection, {}) is not None
        if not waiting:
            metrics.OUTBOX_LAG.set(0)
        return waiting

    async def _committed_meanwhile(self, gather_seconds: float) -> bool:
        """Waits for a commit of this process, not for long; tells whether there was one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_SECONDS):
                await self._committed.wait()
                # A turn costs about a millisecond whatever it moves; under load the next commits come along.
                await asyncio.sleep(gather_seconds)
        return self._committed.is_set()

    async def _move(self, connection: DatabaseConnection) -> int:
        async with begun(connection):
            rows = await _MOVED.all(connection, size=_BATCH)
            metrics.OUTBOX_LAG.set(len(rows))
            if rows:
                await self._publish(rows)
        return len(rows)

    async def _publish(self, rows: Sequence[OutboxRow]) -> None:
        async with self._wire.redis.pipeline(transaction=True) as pipe:
            for row in rows:
                pipe.xadd(self._stream, self._event(row).to_fields(), maxlen=_STREAM_LIMIT, approximate=True)  # type: ignore[arg-type]
            await pipe.execute()

    def _event(self, row: OutboxRow) -> Event:
        return Event(
            row.id,
            self._source,
            row.type,
            row.subject,
            row.time,
            row.data,
            row.traceparent,
            sequence=row.sequence,
            public=row.public,
            dataschema=schema_url(self._base_url, row.type),
        )
