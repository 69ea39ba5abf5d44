"""When a call is tried again: by what its contract makes of a repeat, by what the callee says, within the caller's deadline."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.errors import Aborted, ResourceExhausted, TongbanError, Unavailable


@dataclass(frozen=True, slots=True)
class Failure:
    """How a try failed.

    Attributes:
        error: what the callee meant.
        sent: whether the request may have reached anybody.
    """

    error: TongbanError
    sent: bool = True


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client tries again.

    Attributes:
        first_pause: seconds that the first pause may take; each further one twice that (full jitter).
        longest_pause: what it grows to.
        most: tries of one call, at most.
        clock: monotonic seconds.
        sleep: waits for some seconds.
        draw: draws between two numbers.
    """

    first_pause: float = 0.1
    longest_pause: float = 5.0
    most: int = 10
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[float, float], float] = random.uniform


def _may_repeat(failure: Failure, *, repeatable: bool) -> bool:
    """Whether a further try can do no harm, and may come out otherwise."""
    error = failure.error
    if isinstance(error, ResourceExhausted):
        # A quota is asked before anything is done; without a delay it is a size that stays too large.
        return error.retry_after is not None
    if isinstance(error, Aborted):
        # Somebody was faster. Where reading again is needed (ETAG_MISMATCH), no delay is named.
        return repeatable and error.retry_after is not None
    return isinstance(error, Unavailable) and (repeatable or not failure.sent)


class CallAttempts:
    """The tries of one logical call."""

    def __init__(self, policy: RetryPolicy, *, repeatable: bool, seconds: float) -> None:
        self._policy = policy
        self._repeatable = repeatable
        self._end = policy.clock() + seconds
        self._made = 0

    @property
    def left(self) -> float:
        """Seconds that are left for all further tries."""
        return max(0.0, self._end - self._policy.clock())

    async def again(self, failure: Failure) -> bool:
        """Tells whether to try again, and waits until then: never past the deadline."""
        self._made += 1
        if self._made >= self._policy.most or not _may_repeat(failure, repeatable=self._repeatable):
            return False
        pause = max(self._pause(), failure.error.retry_after or 0.0)
        if pause >= self.left:
            return False
        await self._policy.sleep(pause)
        return True

    def _pause(self) -> float:
        longest = min(self._policy.longest_pause, self._policy.first_pause * 2 ** (self._made - 1))
        return self._policy.draw(0.0, longest)
