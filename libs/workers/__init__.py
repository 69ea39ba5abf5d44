"""Work that would block the event loop: bounded pools of threads, and shares that keep callers out of each other's way."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Concatenate, ParamSpec, TypeVar

from libs.errors import reasons
from libs.workers.memory import MemoryRelease

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkEnded(Exception):
    """Nobody waits for this work any more; raised in the thread that does it."""


class StopSignal:
    """Tells work in a thread whether it is still wanted: its caller may have hung up, or its deadline passed."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def check(self) -> None:
        """Raises WorkEnded once nobody waits any more. Work asks this between pieces that take milliseconds."""
        if self._ended.is_set():
            raise WorkEnded

    def end(self) -> None:
        """Says that nobody waits any more."""
        self._ended.set()


class ThreadPool:
    """Threads of one purpose. What releases the interpreter lock (SM2, SM3, compression, XML) uses all cores.

    Attributes:
        workers: how many there are.
    """

    def __init__(self, workers: int = 0, name: str = "pool", *, returning: bool = False) -> None:
        """Takes the number of threads; 0 means one a core.

        ``returning`` is for work on files of outsiders, who say how large it is: what it used is given back after it.
        """
        self.workers = workers or os.cpu_count() or 1
        self._after: Callable[[], None] = MemoryRelease() if returning else _nothing
        self._executor = ThreadPoolExecutor(self.workers, thread_name_prefix=name)

    async def run(
        self, function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """Runs ``function`` in one of the threads. What has begun ends, also for a caller who has gone."""
        assert not kwargs, "arguments are given by position"
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._whole, function, *args)

    async def run_while_wanted(
        self,
        function: Callable[Concatenate[StopSignal, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Runs ``function`` with a ``StopSignal`` before its other arguments; it ends soon after its caller has gone."""
        assert not kwargs, "arguments are given by position"
        stop = StopSignal()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._whole, function, stop, *args)
        finally:
            stop.end()

    def _whole(self, function: Callable[..., Result], *args: object) -> Result:
        try:
            return function(*args)
        finally:
            self._after()

    async def close(self) -> None:
        """Ends the threads once their work is done."""
        self._executor.shutdown(wait=True)


def _nothing() -> None:
    pass


class PoolShare:
    """The part of a pool that callers of one kind may take: so many at once, so many waiting, others are refused.

    Use it as ``async with share:``. Entering raises ResourceExhausted RATE_LIMITED where too many wait already.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._inside = 0

    async def __aenter__(self) -> None:
        if self._inside >= self._most:
            raise reasons.rate_limited("too many such calls are under way", retry_after=1.0)
        self._inside += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._inside -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._places.release()
        self._inside -= 1
