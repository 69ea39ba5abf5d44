"""The relay dies between XADD and COMMIT: its events come twice, and are handled once."""

import pytest
from redis.asyncio import Redis

from deploy.local.regions import TIANNING
from libs.events.cloud_event import stream_of
from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.faults import kill_and_wait
from tests.support.outbox import KEEP_SENT, LET_GO
from tests.support.regions import YIELDING, Regions, owner, redis_url

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]

_CASES = 20


async def _published(url: str, stream: str) -> int:
    async with Redis.from_url(url, protocol=2) as redis:
        return int(await redis.xlen(stream))


async def test_events_that_come_twice_are_handled_once(regions: Regions) -> None:
    region, office = regions.handling.gateway.id, regions.handling
    parked = await evidence.parked(regions.state, region)
    url, stream = redis_url(regions.state, region), stream_of(TIANNING.code, "cases")
    sent = await _published(url, stream)
    async with owner(regions.state, region, "cases") as connection:
        # What XADD has done is seen, what is to be committed is not: as if the relay had died in between, again and again.
        await connection.execute(KEEP_SENT)
        try:
            run = CaseRun(office, YIELDING)
            await run.run(_CASES, seed=20)
            await kill_and_wait(regions, region, "cases")
            await run.closed()
        finally:
            await connection.execute(LET_GO)
    assert await evidence.drained(regions.state, region) == {}
    assert await _published(url, stream) - sent > 2 * _CASES * 5, "no event was sent twice"
    made = await evidence.of_cases(regions.state, region, run.names)
    assert made == evidence.Totals(cases=_CASES, licenses=_CASES, signed=_CASES)
    assert await evidence.doubled(regions.state, region) == {}
    assert await evidence.parked(regions.state, region) == parked
