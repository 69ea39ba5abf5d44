"""What may be used once is remembered in Redis until it has expired by itself. Without Redis nothing is taken."""

import asyncio
import hashlib

from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.errors import reasons

_WAIT_SECONDS = 1.0
_MARGIN_SECONDS = 10


class UsedOnce:
    """The ids of assertions that were used."""

    def __init__(self, redis: Redis, region: str) -> None:
        self._redis = redis
        self._prefix = f"tongban:{region}:identity:once"

    async def take(self, kind: str, issuer: str, jti: str, seconds: float) -> bool:
        """Uses up an id; tells whether it was the first time.

        Args:
            kind: what the id is of, so that ids of different things don't meet.
            issuer: who made it; ids are unique with each.
            jti: the id.
            seconds: for how long what it is of would still be taken.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE where Redis does not answer; then nothing may be taken.
        """
        digest = hashlib.sha256(f"{issuer}\0{jti}".encode()).hexdigest()
        keep = max(1, int(seconds) + _MARGIN_SECONDS)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                return bool(await self._redis.set(f"{self._prefix}:{kind}:{digest}", b"1", nx=True, ex=keep))
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            raise reasons.dependency_unavailable(
                "whether the assertion was used can't be told",
                retry_after=1.0,
                dependency="redis",
            ) from error
