"""Handles other services' events: each once, in order per subject; what keeps failing is parked where it can be seen."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from redis.exceptions import RedisError, ResponseError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.schema import parked_events
from libs.errors import Code, Internal, TongbanError
from libs.events.cloud_event import Event, from_fields
from libs.events.wire import Wire
from libs.observability import metrics, tracing
from libs.observability.logs import logger, place_of

_log = logger(__name__)
_BATCH = 64
_BLOCK_MS = 1_000
_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_PASSING = {Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED}
_WORKER = "leader"
_PING = sa.text("SELECT 1")

EventHandler = Callable[[Event], Awaitable[None]]
"""Handles one event, under a command of the event's id (``command_of_event``), so that a repeated delivery changes
nothing."""
Entry = tuple[bytes, Mapping[bytes, bytes]]


async def _still_held(lock: AsyncConnection) -> None:
    """Raises where the connection that holds the leader's lock has died: another replica may lead by now."""
    await lock.execute(_PING)
    await lock.rollback()


class Consumer:
    """One consumer group on some services' streams, read by one replica at a time.

    Events of different subjects are handled side by side, events of one subject one after the other. A passing failure
    (a neighbour is away) is tried again for as long as it takes; a lasting one is parked after five attempts, so that
    it does not hold up what comes after it.
    """

    def __init__(self, name: str, wire: Wire, database: Database, streams: Sequence[str],
                 handlers: Mapping[str, EventHandler]) -> None:  # fmt: skip
        self._name = name
        self._wire = wire
        self._redis = wire.redis
        self._database = database
        self._streams = list(streams)
        self._handlers = handlers

    async def run(self) -> None:
        """Handles events for ever, on one replica at a time: first what a dead one left, then the new ones."""
        await lead(self._database, f"consumer:{self._name}", self._turn)

    async def _turn(self, lock: AsyncConnection) -> None:
        while True:
            try:
                await self._prepare()
                while True:
                    await self._read(">")
                    await _still_held(lock)
            except (RedisError, OSError) as error:
                _log.warning("events can't be read", consumer=self._name, error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _prepare(self) -> None:
        for stream in self._streams:
            try:
                await self._redis.xgroup_create(stream, self._name, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        while await self._read("0"):
            continue

    async def _read(self, start: str) -> int:
        """Handles one batch: ``>`` new entries, ``0`` those delivered before and never acknowledged."""
        answer: Any = await self._redis.xreadgroup(
            self._name, _WORKER, dict.fromkeys(self._streams, start), count=_BATCH, block=_BLOCK_MS
        )
        for stream, entries in answer:
            await self._handle_all(stream, entries)
        return sum(len(entries) for _, entries in answer)

    async def _handle_all(self, stream: bytes, entries: Sequence[Entry]) -> None:
        by_subject: dict[bytes, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_subject[entry[1].get(b"subject", b"")].append(entry)
        try:
            # A group, not gather(): where one subject can't go on none may still run when the batch is taken up again.
            async with asyncio.TaskGroup() as tasks:
                for group in by_subject.values():
                    tasks.create_task(self._handle_in_order(stream, group))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _handle_in_order(self, stream: bytes, entries: Sequence[Entry]) -> None:
        for entry_id, fields in entries:
            event = self._read_entry(stream, entry_id, fields) if fields else None
            handler = self._handlers.get(event.type) if event else None
            if event is not None and handler is not None:
                await self._until_done(event, handler)
            await self._redis.xack(stream, self._name, entry_id)

    def _read_entry(self, stream: bytes, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Event | None:
        """Reads an entry; one that is no CloudEvent of ours is passed over, it would stop all that come after it."""
        try:
            return from_fields(fields)
        except (KeyError, ValueError) as error:
            _log.error("no event", consumer=self._name, stream=stream.decode(), entry=entry_id.decode(),
                       error=type(error).__name__)  # fmt: skip
            return None

    async def _until_done(self, event: Event, handler: EventHandler) -> None:
        attempts, pause = 0, _FIRST_PAUSE
        while (failure := await self._try(event, handler)) is not None:
            attempts += failure.code not in _PASSING
            if attempts >= _ATTEMPTS:
                await self._park(event, failure.reason)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _try(self, event: Event, handler: EventHandler) -> TongbanError | None:
        failure: TongbanError
        try:
            parent = event.traceparent
            with tracing.following(parent), tracing.span(f"event {event.type}", parent=parent):
                await handler(self._wire.open(event))
        except TongbanError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - whatever a handler does wrong, the others go on
            _log.error("event failed", consumer=self._name, type=event.type, event_id=event.id, **place_of(error))
            failure = Internal("INTERNAL", "the handler failed")
        else:
            metrics.EVENTS.labels(self._name, event.type, "OK").inc()
            return None
        metrics.EVENTS.labels(self._name, event.type, failure.reason).inc()
        return failure

    async def _park(self, event: Event, reason: str) -> None:
        row = {**asdict(event), "consumer": self._name, "reason": reason}
        async with self._database.transaction() as connection:
            await connection.execute(insert(parked_events).values(row).on_conflict_do_nothing())
        metrics.EVENTS.labels(self._name, event.type, "PARKED").inc()
        _log.error("event parked", consumer=self._name, type=event.type, event_id=event.id, reason=reason)

    async def replay(self) -> int:
        """Hands every parked event of this consumer to its handler again; returns how many were handled."""
        mine = parked_events.c.consumer == self._name
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(parked_events).where(mine).order_by("park_time"))).all()
        return sum([await self._replay_one(row) for row in rows])

    async def _replay_one(self, row: sa.Row[Any]) -> bool:
        event = Event(row.id, row.source, row.type, row.subject, row.time, row.data, row.traceparent)
        if await self._try(event, self._handlers[event.type]) is not None:
            return False
        async with self._database.transaction() as connection:
            await connection.execute(
                sa.delete(parked_events).where(parked_events.c.consumer == self._name, parked_events.c.id == event.id)
            )
        return True
