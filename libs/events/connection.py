"""The connections to Redis: nothing is waited for long, nothing is sent twice."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 3.0  # longer than a reader blocks


def redis_of(url: str) -> Redis:
    """Opens a client for ``url``.

    A command whose answer did not come is not repeated: the first may have had its effect (an id counted as used would
    then look used by somebody else), and three pauses of up to ten seconds are longer than any caller waits. Whoever
    may repeat does so by itself. A connection that Redis closed is noticed when it is taken, and opened anew.
    """
    return Redis.from_url(
        url,
        protocol=2,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
