"""An answer of Redis belongs to its question: whoever is cut off leaves none for the next."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from libs.events.connection import redis_of
from tests.support.backends import Backends
from tests.support.cancelling import at_every_await, at_every_turn


@pytest_asyncio.fixture
async def redis(running_backends: Backends) -> AsyncIterator[Redis]:
    """A client as the services open it."""
    client = redis_of(running_backends.redis_url)
    yield client
    await client.aclose()


async def _set(redis: Redis) -> None:
    await redis.set(f"test:{uuid.uuid4().hex}", b"1", nx=True, ex=60)


async def _get(redis: Redis) -> None:
    await redis.get("test:nothing")


async def _read(redis: Redis) -> None:
    await redis.xread({"test:no-stream": "0"}, count=1, block=1)


async def _pipeline(redis: Redis) -> None:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set(f"test:{uuid.uuid4().hex}", b"1", ex=60)
        pipe.get("test:nothing")
        await pipe.execute()


Use = Callable[[Redis], Awaitable[None]]
USES = pytest.mark.parametrize("use", [_set, _get, _read, _pipeline])


def _next(redis: Redis) -> Callable[[str], Awaitable[None]]:
    async def check(where: str) -> None:
        for _ in range(3):
            key, value = f"test:{uuid.uuid4().hex}", uuid.uuid4().hex.encode()
            assert await redis.set(key, value, nx=True, ex=60) is True, where
            assert await redis.get(key) == value, where

    return check


@USES
async def test_cancelled_at_any_await_the_next_gets_its_own_answer(redis: Redis, use: Use) -> None:
    await use(redis)
    assert await at_every_await(lambda: use(redis), _next(redis)) > 0


@USES
async def test_cancelled_after_any_turn_the_next_gets_its_own_answer(redis: Redis, use: Use) -> None:
    await use(redis)
    assert await at_every_turn(lambda: use(redis), _next(redis)) > 0


@USES
async def test_cancelled_while_it_connects(redis: Redis, use: Use) -> None:
    async def anew() -> None:
        await redis.connection_pool.disconnect(inuse_connections=False)
        await use(redis)

    assert await at_every_await(anew, _next(redis)) > 0
