"""Calls to neighbours are sent again across a restart, where the contract makes a repeat harmless or nothing had been sent.

Sent again is what nobody of ours answered: a connection that was refused, or broke, or was closed by a server that stops. An
answer of a neighbour, and a deadline that ended, are never asked again. How long: by the caller's deadline, and at most eight
seconds, or fifteen while the address refuses connections, which is what a restart looks like from here; a neighbour that hangs
is told as away by then. Meanwhile the channel itself tries to connect at most once a second, however many calls wait, and only
so many may wait for one neighbour: the others are told at once.
"""

import random
import time

import grpc
from google.protobuf.descriptor import Descriptor

from libs.observability import metrics
from libs.rpc.contract import method_of
from libs.rpc.status import DETAILS_KEY
from libs.rpc.waiting import WaitingCalls

_REFUSED_SECONDS, _HANGING_SECONDS = 15.0, 8.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_LEAST_SECONDS = 0.05
_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_UNSENT = ("failed to connect", "connections to all backends failing")
"""What gRPC says of a call that it could give to nobody; the second where there are several replicas."""


def repeatable(request: Descriptor) -> bool:
    """Whether the RPC of this request may be called twice."""
    method = method_of(request)
    return method is not None and method.repeatable


def _is_answer(error: grpc.aio.AioRpcError) -> bool:
    return any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ())


class NeighbourAttempts:
    """The tries of one call.

    Args:
        to: the neighbour's name; another region's gateway sees to its own restarts.
        request: the descriptor of the request.
        seconds: how long one try may take.
        left: how long all may take.
        waiting: the calls that wait for the same neighbour.
    """

    def __init__(self, to: str, request: Descriptor, seconds: float, left: float, waiting: WaitingCalls) -> None:
        self._to = to
        self._request = request
        self._seconds = seconds
        self._begin = time.monotonic()
        self._left = left
        self._waiting = waiting
        self._pause = _FIRST_PAUSE
        self._longest = _HANGING_SECONDS

    @property
    def seconds(self) -> float:
        """How long the next try may take."""
        return max(0.01, min(self._seconds, self._begin + self._left - time.monotonic()))

    async def again(self, error: grpc.aio.AioRpcError) -> bool:
        """Tells whether to try again after ``error``, and waits until then."""
        text = error.details() or ""
        unsent = error.code() is grpc.StatusCode.UNAVAILABLE and any(words in text for words in _UNSENT)
        if self._to.startswith("//") or error.code() not in _BROKEN or _is_answer(error):
            return False
        if not (unsent or repeatable(self._request)):
            return False
        pause = random.uniform(self._pause / 2, self._pause)  # noqa: S311 - spreads the tries, and guards nothing
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        # One that was refused once waits for a restart, also while the new process has its address and does not answer yet.
        self._longest = _REFUSED_SECONDS if "refused" in text else self._longest
        end = self._begin + min(self._longest, self._left) - _LEAST_SECONDS
        return time.monotonic() + pause < end and await self._wait(pause)

    async def _wait(self, seconds: float) -> bool:
        if not await self._waiting.wait(seconds):
            return False
        metrics.CLIENT_REPEATS.labels(self._to).inc()
        return True
