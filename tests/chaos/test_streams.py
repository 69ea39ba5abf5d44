"""Streams are deleted, flushed, trimmed or put back from an older copy with decisions in them: every case closes, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from libs.db.leader import lock_key
from libs.events.cloud_event import stream_of
from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.faults import kill_and_wait
from tests.support.regions import YIELDING, Regions, owner, redis_url

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

_CASES = 12
_HURRY = "UPDATE retries SET next_attempt = now()"
_WAITING = "SELECT count(*) FROM cases WHERE state = 'DECIDED'"
Loss = Callable[[Any, list[str], dict[str, bytes]], Awaitable[None]]


async def _delete(redis: Any, streams: list[str], copies: dict[str, bytes]) -> None:
    await redis.delete(*streams)


async def _flush(redis: Any, streams: list[str], copies: dict[str, bytes]) -> None:
    await redis.flushall()


async def _trim(redis: Any, streams: list[str], copies: dict[str, bytes]) -> None:
    for stream in streams:
        await redis.xtrim(stream, maxlen=0, approximate=False)


async def _restore(redis: Any, streams: list[str], copies: dict[str, bytes]) -> None:
    for stream, copy in copies.items():
        await redis.restore(stream, 0, copy, replace=True)


@asynccontextmanager
async def _not_reading(regions: Regions, region: str, service: str) -> AsyncIterator[None]:
    """Keeps a service, which serves calls all the while, from reading events: another holds the lock of its reader."""
    async with owner(regions.state, region, service) as connection:
        held = asyncio.ensure_future(connection.execute("SELECT pg_advisory_lock($1)", lock_key(f"consumer:{service}")))
        await kill_and_wait(regions, region, service)
        await held
        yield


async def _two_minutes_pass(regions: Regions, region: str) -> None:
    """Has the sweep take up whatever it has noted, until no case waits for its licence."""
    async with owner(regions.state, region, "cases") as connection, asyncio.timeout(150):
        while await connection.fetchval(_WAITING):
            await connection.execute(_HURRY)
            await asyncio.sleep(0.5)


@pytest.mark.parametrize("lose", [_delete, _flush, _trim, _restore], ids=lambda each: each.__name__.strip("_"))
@pytest.mark.parametrize("reader", ["license", "cases"])
async def test_cases_close_although_their_events_were_lost(regions: Regions, lose: Loss, reader: str) -> None:
    region = regions.handling.gateway.id
    streams = [stream_of(region, service) for service in ("cases", "license")]
    parked = await evidence.parked(regions.state, region)
    run = CaseRun(regions.handling, YIELDING)
    async with Redis.from_url(redis_url(regions.state, region), protocol=2) as redis:
        copies = {stream: copy for stream in streams if (copy := await redis.dump(stream)) is not None}
        async with _not_reading(regions, region, reader):
            await run.run(_CASES, seed=sum(f"{lose.__name__} {reader}".encode()))
            if reader == "cases":
                await _issued(regions, region, run.names)
            assert await evidence.drained(regions.state, region) == {}
            await lose(redis, streams, copies)
        await _two_minutes_pass(regions, region)
    await run.closed()
    made = await evidence.of_cases(regions.state, region, run.names)
    assert made == evidence.Totals(cases=_CASES, licenses=_CASES, signed=_CASES)
    assert await evidence.doubled(regions.state, region) == {}
    assert await evidence.drained(regions.state, region) == {}
    assert await evidence.parked(regions.state, region) == parked


async def _issued(regions: Regions, region: str, cases: list[str]) -> None:
    async with asyncio.timeout(60):
        while (await evidence.of_cases(regions.state, region, cases)).licenses < len(cases):  # noqa: ASYNC110 - in PostgreSQL
            await asyncio.sleep(0.2)
