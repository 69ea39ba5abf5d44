"""What may be used once is remembered in Redis until it has expired by itself. Without Redis nothing is taken."""

import asyncio
import hashlib

from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.errors import reasons

_WAIT_SECONDS, _MARGIN_SECONDS = 1.0, 10


class UsedOnce:
    """The ids of assertions, signatures and proofs that were used, for all replicas of ``keeper`` in a region together."""

    def __init__(self, redis: Redis, region: str, keeper: str) -> None:
        self._redis = redis
        self._prefix = f"tongban:{region}:{keeper}"

    async def take(self, kind: str, issuer: str, jti: str, seconds: float, request: str = "") -> bool:
        """Uses up an id; tells whether it was the first time, or for the same request as then.

        Args:
            kind: what the id is of, so that ids of different things don't meet.
            issuer: who made it; ids are unique with each.
            jti: the id.
            seconds: for how long what it is of would still be taken.
            request: what the gateway calls the request, the same where it sends it again; empty where each is another.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE where Redis does not answer; then nothing may be taken.
        """
        digest = hashlib.sha256(f"{issuer}\0{jti}".encode()).hexdigest()
        name, keep = f"{self._prefix}:{kind}:{digest}", max(1, int(seconds) + _MARGIN_SECONDS)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                if await self._redis.set(name, request.encode(), nx=True, ex=keep):
                    return True
                return bool(request) and await self._redis.get(name) == request.encode()
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            raise reasons.dependency_unavailable(
                "whether it was used before can't be told", retry_after=1.0, dependency="redis"
            ) from error
