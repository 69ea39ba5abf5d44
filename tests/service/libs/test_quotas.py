"""What a client may call in all is counted over whoever serves it, and nobody is refused where nobody can count."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from libs.access.actor import Actor, from_claims
from libs.clock import FakeClock
from libs.errors import ResourceExhausted
from libs.rpc.quotas import ClientQuotas, DayUse
from tests.support.service import Ground
from tests.support.town import request_id

PERSON = "persons/00000000-0000-7000-8000-000000000001"
# Half past ten in the evening of 9 January in China.
NOW = datetime(2024, 1, 9, 14, 30, 0, 250_000, tzinfo=UTC)


def _actor(client: str, per_second: int, per_day: int) -> Actor:
    return Actor("clients/a", "CLIENT", frozenset(), client=client, quota=(per_second, per_day))


async def _taken(quotas: ClientQuotas, actor: Actor, times: int) -> int:
    """How many of so many calls are taken."""
    taken = 0
    for _ in range(times):
        try:
            await quotas.take(actor)
        except ResourceExhausted:
            continue
        taken += 1
    return taken


@pytest.fixture
async def redis(ground: Ground) -> Any:
    client = Redis.from_url(ground.backends.redis_url, protocol=2)
    yield client
    await client.aclose()


async def test_seconds_are_counted_over_all_replicas(redis: Redis) -> None:
    clock, client = FakeClock(NOW), request_id()
    here, there = (ClientQuotas(redis, clock, "341500") for _ in range(2))
    actor = _actor(client, 3, 0)
    assert await _taken(here, actor, 2) == 2
    assert await _taken(there, actor, 2) == 1
    with pytest.raises(ResourceExhausted) as refused:
        await here.take(actor)
    assert (refused.value.reason, refused.value.retry_after) == ("RATE_LIMITED", 0.75)
    clock.advance(timedelta(seconds=0.75))
    assert await _taken(there, actor, 5) == 3


async def test_days_are_those_of_the_regions_calendar(redis: Redis) -> None:
    clock = FakeClock(NOW)
    quotas, actor = ClientQuotas(redis, clock, "341500"), _actor(request_id(), 0, 5)
    assert await _taken(quotas, actor, 9) == 5
    with pytest.raises(ResourceExhausted) as refused:
        await quotas.take(actor)
    # Midnight in China is an hour and a half away, less the quarter of a second that has gone.
    assert refused.value.retry_after == 5_399.75
    clock.advance(timedelta(hours=1, minutes=30))
    assert await _taken(quotas, actor, 9) == 5


async def test_what_a_second_refuses_is_not_taken_from_the_day(redis: Redis) -> None:
    clock = FakeClock(NOW)
    quotas, actor = ClientQuotas(redis, clock, "341500"), _actor(request_id(), 2, 4)
    assert await _taken(quotas, actor, 50) == 2
    clock.advance(timedelta(seconds=1))
    assert await _taken(quotas, actor, 50) == 2
    clock.advance(timedelta(seconds=1))
    assert await _taken(quotas, actor, 50) == 0


async def test_a_client_can_be_told_what_it_called_and_how_often_it_was_held_back(redis: Redis) -> None:
    clock, client = FakeClock(NOW), request_id()
    quotas, actor = ClientQuotas(redis, clock, "341500"), _actor(client, 2, 5)
    assert await quotas.used(client, clock.now()) == DayUse(0, 0)
    assert await _taken(quotas, actor, 9) == 2
    clock.advance(timedelta(seconds=1))
    assert await _taken(quotas, actor, 2) == 2
    assert await quotas.used(client, clock.now()) == DayUse(4, 7)
    # Of the next day nothing is counted yet; what is kept goes by itself.
    assert await quotas.used(client, clock.now() + timedelta(days=1)) == DayUse(0, 0)
    assert {await redis.ttl(key) > 0 for key in await redis.keys(f"quota:341500:{client}:*")} == {True}


async def test_seconds_alone_count_the_day_too(redis: Redis) -> None:
    clock, client = FakeClock(NOW), request_id()
    quotas = ClientQuotas(redis, clock, "341500")
    assert await _taken(quotas, _actor(client, 3, 0), 4) == 3
    assert await quotas.used(client, clock.now()) == DayUse(3, 1)


async def test_each_client_of_each_region_has_its_own(redis: Redis) -> None:
    clock, client = FakeClock(NOW), request_id()
    for region in ("341500", "320402"):
        for name in (client, request_id()):
            assert await _taken(ClientQuotas(redis, clock, region), _actor(name, 1, 0), 3) == 1


async def test_who_has_no_quota_is_not_counted(redis: Redis) -> None:
    client = request_id()
    actor = Actor("clients/a", "CLIENT", frozenset(), client=client)
    assert await _taken(ClientQuotas(redis, FakeClock(NOW), "341500"), actor, 100) == 100
    assert await redis.keys(f"quota:341500:{client}:*") == []


async def test_where_redis_is_away_nobody_is_refused_and_nobody_waits_for_it_twice() -> None:
    away = Redis.from_url("redis://127.0.0.1:1/0", protocol=2)
    quotas, actor = ClientQuotas(away, FakeClock(NOW), "341500"), _actor(request_id(), 1, 1)
    assert await _taken(quotas, actor, 3) == 3
    # What would be asked now is not: the place where Redis was is not even looked at.
    quotas._take = None  # type: ignore[assignment]
    assert await _taken(quotas, actor, 3) == 3
    assert await quotas.used("a", NOW) is None
    await away.aclose()


@pytest.mark.parametrize("said", [[1], [1, 2, 3], [-1, 0], ["1", 0], [True, 0], [1.0, 0], {"per_second": 1}, "1/s", 7])
def test_a_quota_that_can_not_be_read_is_never_taken_for_none(said: object) -> None:
    claims = {"sub": PERSON, "actor_kind": "PERSON", "quota": said}
    with pytest.raises((TypeError, ValueError)):
        from_claims(claims, "t")


def test_a_token_says_the_quota_of_its_client() -> None:
    assert from_claims({"sub": PERSON, "actor_kind": "PERSON", "quota": [3, 0]}, "t").quota == (3, 0)
    assert from_claims({"sub": PERSON, "actor_kind": "PERSON"}, "t").quota == ()
