"""Lanes of events: one for each subject, so that what one subject waits for holds up no other.

In a lane events go one after the other. The first one of a lane that fails in passing is tried again after a pause,
with all others of its subject behind it; the more lanes wait, the longer, but as soon as one of them goes on all others are
tried. Lanes share slots: so many tries at once, and of those that failed before a
quarter as many, so that a neighbour that is away takes no more than that. A try that is slow (a call that runs into its
timeout) gives its slot to the next after a second and goes on without one.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from libs.observability.logs import logger, place_of

_log = logger(__name__)
_AT_ONCE = 64
_AGAIN_AT_ONCE = 16
_SLOT_SECONDS = 1.0
_QUEUED = 256
_ROOM = 50_000
_TRIES_A_SECOND = 50
_CANCEL_AGAIN_SECONDS = 0.2


@dataclass(slots=True)
class StreamEntry:
    """One entry of a stream.

    Attributes:
        stream, id: what names it.
        fields: what it says; None once it was put off, to be read again when its turn comes.
        failures: how often its handling failed in a lasting way.
    """

    stream: bytes
    id: bytes
    fields: Mapping[bytes, bytes] | None
    failures: int = 0


Settle = Callable[[StreamEntry], Awaitable[bool]]
"""Handles an entry; tells False where it must be tried again later."""


class Lanes:
    """Handles entries side by side, those of one subject in order. Leaving it ends every lane."""

    def __init__(self, settle: Settle, first_pause: float, longest_pause: float) -> None:
        self._settle = settle
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._lanes: dict[tuple[bytes, bytes], deque[StreamEntry]] = {}
        self._waiting: set[tuple[bytes, bytes]] = set()
        self._held: dict[bytes, set[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._fresh = asyncio.Semaphore(_AT_ONCE)
        self._again = asyncio.Semaphore(_AGAIN_AT_ONCE)
        self._queued = 0
        self._moved = asyncio.Event()
        self._back = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Again and again: a cancellation can get lost in what redis-py awaits (see ``libs.process.end``).
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks), timeout=_CANCEL_AGAIN_SECONDS)

    @property
    def waiting(self) -> int:
        """How many subjects wait for something to come back."""
        return len(self._waiting)

    def held(self, stream: bytes) -> int:
        """How many entries of a stream are in lanes."""
        return len(self._held.get(stream, ()))

    def put(self, entry: StreamEntry, subject: bytes) -> None:
        """Puts an entry at the end of its subject's lane, unless it is held already."""
        mine = self._held.setdefault(entry.stream, set())
        if entry.id in mine:
            return
        mine.add(entry.id)
        key = (entry.stream, subject)
        lane = self._lanes.get(key)
        if lane is not None:
            if key in self._waiting:
                entry.fields = None
            lane.append(entry)
            return
        self._lanes[key] = deque([entry])
        task = asyncio.create_task(self._go(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def room(self) -> None:
        """Waits until more can be put in. Lanes that wait for a neighbour count in the thousands only."""
        while self._queued >= _QUEUED or sum(map(len, self._held.values())) >= _ROOM:
            self._moved.clear()
            await self._moved.wait()

    async def _go(self, key: tuple[bytes, bytes]) -> None:
        lane, pause = self._lanes[key], self._first_pause
        while lane:
            if await self._try(lane[0], self._again if key in self._waiting else self._fresh):
                entry, pause = lane.popleft(), self._first_pause
                self._held[entry.stream].discard(entry.id)
                self._goes_on(key)
                continue
            lane[0].fields = None
            self._waiting.add(key)
            await self._rest(max(pause, len(self._waiting) / _TRIES_A_SECOND))
            pause = min(pause * 2, self._longest_pause)
        del self._lanes[key]

    def _goes_on(self, key: tuple[bytes, bytes]) -> None:
        self._moved.set()
        if key in self._waiting:
            self._waiting.discard(key)
            self._back.set()
            self._back = asyncio.Event()

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._back.wait()

    async def _slot(self, slots: asyncio.Semaphore) -> None:
        """Waits for a slot. Only who never failed keeps others from being read: the rest is many, and waits anyway."""
        self._queued += slots is self._fresh
        try:
            await slots.acquire()
        finally:
            self._queued -= slots is self._fresh
            self._moved.set()

    async def _try(self, entry: StreamEntry, slots: asyncio.Semaphore) -> bool:
        await self._slot(slots)
        work = asyncio.ensure_future(self._settled(entry))
        try:
            await asyncio.wait({work}, timeout=_SLOT_SECONDS)
        finally:
            slots.release()
            if not work.done():
                self._tasks.add(work)  # type: ignore[arg-type]
                work.add_done_callback(self._tasks.discard)
        return await work

    async def _settled(self, entry: StreamEntry) -> bool:
        try:
            return await self._settle(entry)
        except Exception as error:  # noqa: BLE001 - one lane's fault is not the others'
            _log.error("entry not settled", stream=entry.stream.decode(), entry=entry.id.decode(), **place_of(error))
            return False
