"""Moves committed events from the outbox to Redis Streams, in order, at least once."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from redis.exceptions import RedisError
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.protocol import begun
from libs.db.schema import outbox
from libs.events.cloud_event import Event, stream_of
from libs.events.wire import Wire
from libs.observability import metrics
from libs.observability.logs import logger

_log = logger(__name__)
_BATCH = 500
_POLL_SECONDS = 0.2
_GATHER_SECONDS = 0.02
_STREAM_LIMIT = 2_000_000

_DONE = sa.text("DELETE FROM outbox WHERE seq = ANY(:seqs)").bindparams(
    sa.bindparam("seqs", type_=ARRAY(sa.BigInteger))
)
_NEXT = sa.select(outbox).order_by(outbox.c.seq).limit(_BATCH)


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

    async def _turn(self, connection: AsyncConnection) -> None:
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

    async def _move(self, connection: AsyncConnection) -> int:
        async with begun(connection):
            rows = (await connection.execute(_NEXT)).all()
            metrics.OUTBOX_LAG.set(len(rows))
            if rows:
                await self._publish(rows)
                await connection.execute(_DONE, {"seqs": [row.seq for row in rows]})
        return len(rows)

    async def _publish(self, rows: Sequence[sa.Row[Any]]) -> None:
        async with self._wire.redis.pipeline(transaction=True) as pipe:
            for row in rows:
                event = Event(row.id, self._source, row.type, row.subject, row.time, row.data, row.traceparent)
                pipe.xadd(self._stream, event.to_fields(), maxlen=_STREAM_LIMIT, approximate=True)  # type: ignore[arg-type]
            await pipe.execute()
