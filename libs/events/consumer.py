"""Handles other services' events: each once, in order per subject; what keeps failing is parked where it can be seen."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError
from redis.exceptions import RedisError, ResponseError

from libs.crypto.errors import DecryptionFailed
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.statement import ping
from libs.errors import Code, TongbanError, reasons
from libs.events.cloud_event import Event, from_fields
from libs.events.lanes import Lanes, StreamEntry
from libs.events.numbers import SeenNumbers
from libs.events.parking import UNREADABLE, Parking, unreadable, unwrapped, wrapped
from libs.events.wire import Wire
from libs.observability import metrics
from libs.observability.logs import logger, place_of
from libs.observability.tracing import Tracing, following

_log = logger(__name__)
_BATCH = 64
_BLOCK_MS = 1_000
_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 2.0
_LOOK_BEHIND_SECONDS = 5.0
_PASSING = {Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.RESOURCE_EXHAUSTED}
_WORKER = "leader"

EventHandler = Callable[[Event], Awaitable[None]]
"""Handles one event, under a command of the event's id (``command_of_event``), so that a repeated delivery changes
nothing."""


def _place(entry_id: bytes) -> tuple[int, int]:
    time_part, _, number = entry_id.partition(b"-")
    return int(time_part), int(number)


class Consumer:
    """One consumer group on some services' streams, read by one replica at a time.

    Events of different subjects are handled side by side, events of one subject one after the other (``lanes``). A
    passing failure (a neighbour is away) is tried again for as long as it takes, and holds up its own subject only; a
    lasting one is parked after five attempts, and what nothing can read at once. An entry is acknowledged only when it
    was handled or its parking is committed.
    """

    def __init__(
        self,
        name: str,
        wire: Wire,
        database: Database,
        streams: Sequence[str],
        handlers: Mapping[str, EventHandler],
        tracing: Tracing | None = None,
    ) -> None:
        self._name = name
        self._tracing = tracing or Tracing()
        self._wire = wire
        self._redis = wire.redis
        self._database = database
        self._parking = Parking(database, name)
        self._streams = list(streams)
        self._handlers = handlers
        self._numbers = SeenNumbers()

    async def run(self) -> None:
        """Handles events for ever, on one replica at a time: first what a dead one left, then the new ones."""
        await lead(self._database, f"consumer:{self._name}", self._turn)

    async def _turn(self, lock: DatabaseConnection) -> None:
        while True:
            try:
                async with Lanes(self._settle, _FIRST_PAUSE, _LONGEST_PAUSE) as lanes:
                    await self._prepare()
                    await self._read_on(lanes, lock)
            except (RedisError, OSError) as error:
                _log.warning("events can't be read", consumer=self._name, error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def _read_on(self, lanes: Lanes, lock: DatabaseConnection) -> None:
        look_again = 0.0
        while True:
            if time.monotonic() >= look_again:
                await self._look_behind(lanes)
                look_again = time.monotonic() + _LOOK_BEHIND_SECONDS
            await lanes.room()
            await self._read(lanes, dict.fromkeys(self._streams, ">"), block=_BLOCK_MS)
            metrics.EVENTS_WAITING.labels(self._name).set(lanes.waiting)
            await ping(lock)  # where it has died another replica may lead by now

    async def _prepare(self) -> None:
        for stream in self._streams:
            try:
                await self._redis.xgroup_create(stream, self._name, id="0", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def _look_behind(self, lanes: Lanes) -> None:
        """Finds what reading on would never find.

        That is: entries that were delivered once and are in no lane (a consumer died, or the stream was restored from an
        older copy), and a stream that ends before the place up to which the group has read.
        """
        for stream in self._streams:
            info: Any = await self._redis.xinfo_stream(stream)
            for group in await self._redis.xinfo_groups(stream):
                if group["name"] != self._name.encode():
                    continue
                if _place(group["last-delivered-id"]) > _place(info["last-generated-id"]):
                    _log.warning("the stream goes back", consumer=self._name, stream=stream)
                    await self._redis.xgroup_setid(stream, self._name, "0")
                if group["pending"] > lanes.held(stream.encode()):
                    await self._take_up(lanes, stream)

    async def _take_up(self, lanes: Lanes, stream: str) -> None:
        last: bytes | None = b"0"
        while last is not None:
            await lanes.room()
            last = await self._read(lanes, {stream: last})

    async def _read(self, lanes: Lanes, places: Mapping[str, str | bytes], block: int | None = None) -> bytes | None:
        """Puts one batch into the lanes: ``>`` new entries, those after an id that were delivered and never acknowledged.

        Returns the id of the last one, or None where there was none.
        """
        answer: Any = await self._redis.xreadgroup(self._name, _WORKER, places, count=_BATCH, block=block)  # type: ignore[arg-type]
        last: bytes | None = None
        for stream, entries in answer:
            for last, fields in entries:
                # What was trimmed away before it was acknowledged has no fields, and a lane of its own.
                subject = fields.get(b"subject", b"") if fields else last
                lanes.put(StreamEntry(stream, last, fields or {}), subject)
        return last

    async def _settle(self, entry: StreamEntry) -> bool:
        fields = entry.fields if entry.fields is not None else await self._read_again(entry)
        try:
            if fields and not await self._handled(entry, fields):
                return False
            await self._redis.xack(entry.stream, self._name, entry.id)
        except (TongbanError, RedisError, OSError) as error:
            _log.warning("event waits", consumer=self._name, entry=entry.id.decode(), error=type(error).__name__)
            return False
        return True

    async def _read_again(self, entry: StreamEntry) -> Mapping[bytes, bytes]:
        found: Any = await self._redis.xrange(entry.stream, entry.id, entry.id)
        return found[0][1] if found else {}

    async def _handled(self, entry: StreamEntry, fields: Mapping[bytes, bytes]) -> bool:
        """Handles an entry; one that is no CloudEvent of ours is parked, it would stop all that come after it."""
        try:
            event = from_fields(fields)
        except (KeyError, ValueError):
            opened = wrapped(entry.stream, entry.id, fields)
            closed = replace(opened, data=self._wire.close_up(opened.id, opened.data))
            await self._park(closed, UNREADABLE, 0)
            return True
        self._count_missing(event)
        handler = self._handlers.get(event.type)
        return handler is None or await self._done(event, handler, entry)

    def _count_missing(self, event: Event) -> None:
        if missing := self._numbers.missing(event):
            metrics.EVENTS_MISSING.labels(self._name, event.source).inc(missing)
            _log.error("events are missing", consumer=self._name, source=event.source, count=missing)

    async def _done(self, event: Event, handler: EventHandler, entry: StreamEntry) -> bool:
        failure = await self._try(event, handler)
        if failure is None:
            return True
        entry.failures += failure.code not in _PASSING
        if entry.failures < _ATTEMPTS:
            return False
        await self._park(event, failure.reason, entry.failures)
        return True

    async def _try(self, event: Event, handler: EventHandler) -> TongbanError | None:
        failure: TongbanError
        try:
            parent = event.traceparent
            with following(parent), self._tracing.span(f"event {event.type}", parent=parent):
                await handler(self._wire.open(event))
        except TongbanError as error:
            failure = error
        except (DecryptionFailed, DecodeError) as error:
            _log.error(
                "event unreadable", consumer=self._name, type=event.type, event_id=event.id, error=type(error).__name__
            )
            failure = unreadable()
        except Exception as error:  # noqa: BLE001 - whatever a handler does wrong, the others go on
            _log.error("event failed", consumer=self._name, type=event.type, event_id=event.id, **place_of(error))
            failure = reasons.internal("the handler failed")
        else:
            metrics.EVENTS.labels(self._name, event.type, "OK").inc()
            return None
        metrics.EVENTS.labels(self._name, event.type, failure.reason).inc()
        return failure

    async def _park(self, event: Event, reason: str, attempts: int) -> None:
        await self._parking.park(event, reason, attempts)
        metrics.EVENTS.labels(self._name, event.type, "PARKED").inc()
        _log.error("event parked", consumer=self._name, type=event.type, event_id=event.id, reason=reason)

    async def replay(self, event: Event) -> TongbanError | None:
        """Hands a parked event, closed up as it travels, to its handler once more; returns why that failed, or None.

        The handler does nothing twice (``EventHandler``), so a replay beside another, or of an event that was handled
        in the meantime, changes nothing.
        """
        try:
            readable = event if event.type else unwrapped(self._wire.open(event))
        except (KeyError, ValueError, DecryptionFailed):
            return unreadable()
        handler = self._handlers.get(readable.type)
        return unreadable() if handler is None else await self._try(readable, handler)
