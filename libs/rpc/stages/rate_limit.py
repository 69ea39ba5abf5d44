"""Stage 8: no caller may take a whole worker. Partners' quotas over the cluster are the gateway's business."""

import time

from google.protobuf.message import Message

from libs.errors import ResourceExhausted
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method

_FORGET_AT = 50_000


class Buckets:
    """A token bucket a caller; one second's worth of calls may come at once."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str, now: float) -> float:
        """Takes one call of ``key`` at ``now`` (monotonic seconds); returns 0, or the seconds to wait."""
        level, since = self._buckets.get(key, (self._rate, now))
        level = min(self._rate, level + (now - since) * self._rate)
        if level < 1:
            return (1 - level) / self._rate
        if len(self._buckets) >= _FORGET_AT:
            self._buckets.clear()
        self._buckets[key] = (level - 1, now)
        return 0.0


def rate_limit(per_second: float) -> Stage:
    """Builds the stage; ``per_second`` holds per caller and worker."""
    buckets = Buckets(per_second)

    def stage(_method: Method, handler: Handler) -> Handler:
        async def with_limit(request: object, call: Call) -> Message:
            wait = buckets.take(call.principal.client or call.principal.subject, time.monotonic())
            if wait:
                raise ResourceExhausted("RATE_LIMITED", "too many calls", retry_after=wait)
            return await handler(request, call)

        return with_limit

    return stage
