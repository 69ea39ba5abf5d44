"""Calls that stream: how long one may be silent, what ends it, and what is asked again while it goes on.

A stream has no length of its own. It lives while messages come or go, and its token holds; it is told to end when its process is
about to stop, between two messages: whoever called goes on at another replica from the answer that came last.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from google.protobuf.message import Message

from libs.errors import reasons

IDLE_SECONDS = 60.0
"""How long a stream may be silent on both sides, where the configuration says nothing else."""
MOST_MESSAGES = 10_000
"""How many messages a caller may send over one stream that is answered as it goes."""
ASKED_AGAIN_SECONDS = 5.0
"""How old what a token is worth may be when a further message comes."""
_AGAIN_SECONDS = 1.0


class StreamPace:
    """How long a stream has been silent; whatever comes or goes begins the count anew.

    Attributes:
        seconds: how long it may be.
    """

    def __init__(self, seconds: float = IDLE_SECONDS) -> None:
        self.seconds = seconds
        self._limit: asyncio.Timeout | None = None

    def moved(self) -> None:
        """A message came, or went."""
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self.seconds)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Ends the block where the stream is silent for too long; raises DeadlineExceeded STREAM_IDLE."""
        try:
            async with asyncio.timeout(self.seconds) as self._limit:
                yield
        except TimeoutError as error:
            raise reasons.stream_idle("no message came or went", idle_seconds=f"{self.seconds:g}") from error
        finally:
            self._limit = None


NO_PACE = StreamPace()
"""Of calls that do not stream: nobody keeps it."""


class StreamsUnderWay:
    """Tells all streams of a server at once that it is about to stop."""

    def __init__(self) -> None:
        self._ending = asyncio.Event()

    def end(self) -> None:
        """From now on no stream takes a further message."""
        self._ending.set()

    async def until_told(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields what comes; raises Unavailable STREAM_ENDING once the server is about to stop, between two messages."""
        told = asyncio.ensure_future(self._ending.wait())
        coming: asyncio.Future[bytes | None] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(_next(messages))
                await asyncio.wait({coming, told}, return_when=asyncio.FIRST_COMPLETED)
                if told.done():
                    raise reasons.stream_ending("this process is about to stop", retry_after=_AGAIN_SECONDS)
                message = coming.result()
                if message is None:
                    return
                yield message
        finally:
            told.cancel()
            if coming is not None:
                coming.cancel()


async def begun(messages: AsyncIterator[Message]) -> AsyncIterator[Message]:
    """Waits for a stream's first message, so that what is refused is refused before anything is sent; it may also hold none."""
    first = await anext(messages, None)
    return _with(first, messages)


async def _with(first: Message | None, rest: AsyncIterator[Message]) -> AsyncIterator[Message]:
    if first is not None:
        yield first
    async for message in rest:
        yield message


async def _next(messages: AsyncIterator[bytes]) -> bytes | None:
    return await anext(messages, None)


async def asked_again(
    messages: AsyncIterator[bytes],
    ask: Callable[[], Awaitable[object]],
    stopwatch: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Yields what comes; before a message ``ask`` is asked anew where it was not for some seconds, and raises what ends the stream."""
    asked = stopwatch()
    async for message in messages:
        if stopwatch() - asked >= ASKED_AGAIN_SECONDS:
            await ask()
            asked = stopwatch()
        yield message


async def paced(messages: AsyncIterator[bytes], take: Callable[[], float]) -> AsyncIterator[bytes]:
    """Yields what comes, each further message counted as a call: who sends faster than they may call is not refused but waited for.

    ``take`` takes a call, and returns the seconds to wait where none is left. Raises ResourceExhausted STREAM_TOO_LONG.
    """
    count = 0
    async for message in messages:
        count += 1
        if count > MOST_MESSAGES:
            raise reasons.stream_too_long("too many messages over one stream", limit_messages=str(MOST_MESSAGES))
        if count > 1 and (wait := take()):
            await asyncio.sleep(wait)
            take()
        yield message
