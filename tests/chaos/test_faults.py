"""PostgreSQL frozen, Redis killed and frozen, services killed at random: cases go on afterwards and nothing is lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from deploy.local.regions import SERVICES
from tests.support import evidence
from tests.support.case_runs import CaseRun
from tests.support.faults import frozen, kill_and_wait
from tests.support.regions import YIELDING, Regions

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_CASES = 60
Fault = Callable[[Regions, str], Awaitable[None]]


async def _freeze_postgres(regions: Regions, region: str) -> None:
    async with frozen(regions, region, "postgres"):
        await asyncio.sleep(3)


async def _kill_postgres(regions: Regions, region: str) -> None:
    await kill_and_wait(regions, region, "postgres")


async def _freeze_redis(regions: Regions, region: str) -> None:
    async with frozen(regions, region, "redis"):
        await asyncio.sleep(5)


async def _kill_gateway(regions: Regions, region: str) -> None:
    await kill_and_wait(regions, region, "envoy")


async def _kill_services_at_random(regions: Regions, region: str) -> None:
    draw = random.Random(17)
    for service in draw.choices(SERVICES, k=6):
        await kill_and_wait(regions, region, service)
        await asyncio.sleep(draw.random())


async def _freeze_each_service(regions: Regions, region: str) -> None:
    for service in SERVICES:
        async with frozen(regions, region, service):
            await asyncio.sleep(2)


async def _kill_everything_behind_the_gateway(regions: Regions, region: str) -> None:
    await asyncio.gather(*(kill_and_wait(regions, region, name) for name in (*SERVICES, "redis")))


@pytest.mark.parametrize(
    "fault",
    [
        _freeze_postgres,
        _kill_postgres,
        _freeze_redis,
        _kill_gateway,
        _kill_services_at_random,
        _freeze_each_service,
        _kill_everything_behind_the_gateway,
    ],
    ids=lambda fault: fault.__name__.strip("_").replace("_", " "),
)
async def test_cases_go_on_after(regions: Regions, fault: Fault) -> None:
    office, region = regions.handling, regions.handling.gateway.id
    parked = await evidence.parked(regions.state, region)
    begun = asyncio.Event()

    def decided(count: int) -> None:
        if count >= _CASES // 4:
            begun.set()

    async def trouble() -> None:
        await begun.wait()
        await fault(regions, region)

    run = CaseRun(office, YIELDING, decided=decided)
    async with asyncio.TaskGroup() as group:
        group.create_task(trouble())
        group.create_task(run.run(_CASES, seed=hash_of(fault)))
    await run.closed()
    assert len(set(run.names)) == len(set(run.numbers)) == _CASES
    assert await evidence.drained(regions.state, region) == {}
    assert await evidence.parked(regions.state, region) == parked
    made = await evidence.of_cases(regions.state, region, run.names)
    assert made == evidence.Totals(cases=_CASES, licenses=_CASES, signed=_CASES)
    assert await evidence.doubled(regions.state, region) == {}
    assert await evidence.unrecorded_sealings(regions.state, region) == []


def hash_of(fault: Fault) -> int:
    """A seed of the fault's own, the same in every run."""
    return sum(fault.__name__.encode())
