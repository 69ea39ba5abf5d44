"""Stage 8: no caller may take a whole worker, and no client more than its quota of the region (``libs.rpc.quotas``).

A caller is one person or service at one client: who shares a channel with somebody who asks too much is not refused for
it. Callers without a token are told apart by the address that the gateway saw.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message

from libs.access.actor import ANONYMOUS, Actor
from libs.errors import reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.streams import begun, paced

_FORGET_AT = 50_000
MOST_CALLS = 500
"""Calls of one caller that one worker serves at the same time."""
MOST_STREAMS = 32
"""The same for calls that stream: their pace is the caller's, and so is the time that they take."""
_RETRY_SECONDS = 1.0


class TokenBuckets:
    """A token bucket a caller; one second's worth of calls may come at once."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float) -> float:
        """Takes one call of ``key`` at ``now`` (monotonic seconds); returns 0, or the seconds to wait."""
        level, since = self._buckets.pop(key, (self._rate, now))
        found = min(self._rate, level + (now - since) * self._rate)
        if found < 1:
            self._buckets[key] = (level, since)
            return (1 - found) / self._rate
        if len(self._buckets) >= _FORGET_AT:
            # The one that called longest ago: it is full again, unless so many call within a second.
            del self._buckets[next(iter(self._buckets))]
        self._buckets[key] = (found - 1, now)
        return 0.0


class CallsUnderWay:
    """How many calls each caller has under way."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, bool], int] = {}

    @contextmanager
    def one(self, key: str, *, streams: bool) -> Iterator[None]:
        """Takes a place until the block ends; raises ResourceExhausted RATE_LIMITED where the caller has too many."""
        place = (key, streams)
        taken = self._taken.get(place, 0)
        if taken >= (MOST_STREAMS if streams else MOST_CALLS):
            raise reasons.rate_limited("too many calls at the same time", retry_after=_RETRY_SECONDS)
        self._taken[place] = taken + 1
        try:
            yield
        finally:
            self._leave(place)

    def _leave(self, place: tuple[str, bool]) -> None:
        left = self._taken[place] - 1
        if left:
            self._taken[place] = left
        else:
            del self._taken[place]


def caller_key(call: Call) -> str:
    """Returns what tells one caller from the other."""
    if call.actor is ANONYMOUS:
        return f"address {call.address}"
    return f"{call.actor.client} {call.actor.subject}"


Take = Callable[[Actor], Awaitable[None]]
"""Takes a call of a client's quota, or raises."""


async def any_number(_actor: Actor) -> None:
    """Where nobody counts quotas."""


def rate_limit(per_second: float, take: Take = any_number) -> Stage:
    """Builds the stage; ``per_second`` holds per caller and worker, what ``take`` counts over all of them."""
    buckets, places = TokenBuckets(per_second), CallsUnderWay()

    async def enter(call: Call) -> str:
        key = caller_key(call)
        wait = buckets.take(key, time.monotonic())
        if wait:
            raise reasons.rate_limited("too many calls", retry_after=wait)
        if call.actor.quota:
            await take(call.actor)
        return key

    def stage(method: Method, handler: Handler) -> Handler:
        streams = method.descriptor.client_streaming

        async def with_limit(request: object, call: Call) -> Message:
            with places.one(await enter(call), streams=streams):
                return await handler(request, call)

        async def with_limit_of_stream(request: object, call: Call) -> Any:
            return await begun(_whole(request, call, await enter(call)))

        async def _whole(request: Any, call: Call, key: str) -> AsyncIterator[Message]:
            if method.exchanges:
                request = paced(request, lambda: buckets.take(key, time.monotonic()))
            # The place is taken for as long as the answer is read.
            with places.one(key, streams=True):
                messages: Any = await handler(request, call)
                async for message in messages:
                    yield message

        return with_limit_of_stream if method.descriptor.server_streaming else with_limit

    return stage
