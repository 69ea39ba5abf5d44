"""What was acknowledged is in its table and in the log: whatever froze, whoever hung up."""

import asyncio
import random

import pytest

from tests.support import evidence
from tests.support.callers import Callers, callers_of
from tests.support.faults import frozen
from tests.support.regions import Regions

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]

_FREEZES, _FREEZE_SECONDS = 5, 4.0
_HANG_UPS, _AT_ONCE, _LONGEST_SECONDS = 10_000, 24, 0.08


async def _judge(regions: Regions, callers: Callers) -> None:
    """Everybody asks until they know; then what they were told is compared with what is there."""
    await callers.ask_again()
    assert len(set(callers.acknowledged)) == len(callers.acknowledged)
    assert await evidence.vanished(regions.state, regions.handling.gateway.id, callers.acknowledged) == {}


async def test_eight_in_a_freeze_and_forty_after_it(regions: Regions) -> None:
    """The issue's own: short deadlines while PostgreSQL stands still, ordinary calls when it goes on."""
    callers, region = await callers_of(regions, 41), regions.handling.gateway.id
    async with frozen(regions, region, "postgres"):
        await asyncio.gather(*(callers.create(2.0) for _ in range(8)))
    for _ in range(40):
        await callers.create(20.0)
    await _judge(regions, callers)
    assert len(callers.acknowledged) == 48


@pytest.mark.parametrize("part", ["postgres", "cases"])
async def test_twenty_seconds_of_freezes(regions: Regions, part: str) -> None:
    callers, region, over = await callers_of(regions, 300 + len(part)), regions.handling.gateway.id, asyncio.Event()

    async def call(draw: random.Random) -> None:
        while not over.is_set():
            await callers.create(draw.choice((0.2, 0.5, 2.0, 20.0)))

    calling = [asyncio.ensure_future(call(random.Random(number))) for number in range(12)]
    for _ in range(_FREEZES):
        async with frozen(regions, region, part):
            await asyncio.sleep(_FREEZE_SECONDS)
        await asyncio.sleep(0.5)
    over.set()
    await asyncio.gather(*calling)
    await _judge(regions, callers)


async def test_ten_thousand_hang_up(regions: Regions) -> None:
    """Between them go honest callers; what those were told must hold."""
    callers, draw = await callers_of(regions, 47), random.Random(47)
    left = iter(range(_HANG_UPS))

    async def work() -> None:
        for number in left:
            await callers.hang_up(draw, _LONGEST_SECONDS)
            if number % 10 == 0:
                await callers.create(20.0)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    await _judge(regions, callers)
    assert len(callers.acknowledged) == _HANG_UPS // 10
