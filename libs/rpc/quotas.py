"""What a client may call in all (`ClientQuota` of the contract): counted by Redis, over all replicas of all services of the region.

Each call by a token that came through the client counts, whoever it speaks for; one that is refused for it does not. Its seconds are
those of the clock, its days those of the region's calendar. Where Redis is away nobody is refused: a quota keeps order and guards nothing
(decision 0076), and what one worker takes of one caller stays bounded.
"""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError

from libs.access.actor import Actor
from libs.civil.calendar import CHINA_TIME, local_day
from libs.clock import Clock
from libs.errors import reasons
from libs.observability.logs import logger

_log = logger(__name__)
_AWAY_SECONDS = 5.0
"""For so long Redis is not asked again where it did not answer: no call waits for it twice."""
_SECOND_KEPT, _DAY_KEPT = 5, 2 * 86_400

# Both windows or none: a call that the second refuses is not taken from the day. The day is counted also where it has no limit, and what was
# refused in it beside: a client may read both.
_TAKE = """
local second, day = tonumber(ARGV[1]), tonumber(ARGV[2])
local in_second = tonumber(redis.call('GET', KEYS[1]) or '0')
local in_day = tonumber(redis.call('GET', KEYS[2]) or '0')
local full = (second > 0 and in_second >= second and 1) or (day > 0 and in_day >= day and 2) or 0
if full > 0 then
  redis.call('INCR', KEYS[3])
  redis.call('EXPIRE', KEYS[3], ARGV[4])
  return full
end
if second > 0 then redis.call('SET', KEYS[1], in_second + 1, 'EX', ARGV[3]) end
redis.call('SET', KEYS[2], in_day + 1, 'EX', ARGV[4])
return 0
"""
_TAKEN, _SECOND_USED = 0, 1


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a client has called in a day of the region's calendar.

    Attributes:
        calls: how many were taken.
        refused: how many were not, because a quota was used up.
    """

    calls: int
    refused: int


class ClientQuotas:
    """Counts the calls of clients that have a quota; others cost nothing here."""

    def __init__(self, redis: Redis, clock: Clock, region: str) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._clock = clock
        self._region = region
        self._away_until = 0.0

    async def take(self, actor: Actor) -> None:
        """Takes a call of the actor's client; raises ResourceExhausted RATE_LIMITED where its quota is used up."""
        if not actor.quota or time.monotonic() < self._away_until:
            return
        now = self._clock.now()
        try:
            found = await self._take(self._keys(actor.client, now), [*actor.quota, _SECOND_KEPT, _DAY_KEPT])
        except (RedisError, OSError) as error:
            self._is_away(error)
            return
        if found == _TAKEN:
            return
        per = "second" if found == _SECOND_USED else "day"
        wait = 1 - now.microsecond / 1e6 if found == _SECOND_USED else (next_day(now) - now).total_seconds()
        raise reasons.rate_limited(f"the client's quota of a {per} is used up", retry_after=wait)

    async def spent(self, client: str) -> tuple[int, int] | None:
        """Returns how many calls of a client were taken this second and today, and takes none; None where Redis is away."""
        try:
            found = await self._redis.mget(self._keys(client, self._clock.now())[:2])
        except (RedisError, OSError):
            return None
        second, day = (int(each or 0) for each in found)
        return second, day

    async def used(self, client: str, now: datetime) -> DayUse | None:
        """Returns what a client (its bare id) has called in the day of ``now``; None where Redis is away."""
        if time.monotonic() < self._away_until:
            return None
        _, *of_the_day = self._keys(client, now)
        try:
            calls, refused = await self._redis.mget(of_the_day)
        except (RedisError, OSError) as error:
            self._is_away(error)
            return None
        return DayUse(int(calls or 0), int(refused or 0))

    def _is_away(self, error: Exception) -> None:
        self._away_until = time.monotonic() + _AWAY_SECONDS
        _log.warning("quotas are not counted", error=type(error).__name__)

    def _keys(self, client: str, now: datetime) -> list[str]:
        """The second that is counted, the day, and what was refused in the day."""
        place, day = f"quota:{self._region}:{client}", local_day(now).isoformat()
        return [f"{place}:{int(now.timestamp())}", f"{place}:{day}", f"{place}:{day}:refused"]


def next_day(now: datetime) -> datetime:
    """When the region's next day begins."""
    here = now.astimezone(CHINA_TIME)
    return (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
