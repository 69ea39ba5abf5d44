"""How soon everything goes on: within five seconds of the last part being back, whatever was killed in whatever order."""

import asyncio
import random
import time
from dataclasses import dataclass

import pytest

from deploy.local.regions import SERVICES
from tests.support.callers import callers_of
from tests.support.case_runs import CaseRun
from tests.support.faults import back, frozen, kill
from tests.support.regions import YIELDING, Regions

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

_PARTS = ("postgres", "redis", *SERVICES, "envoy")
_GOES_ON_WITHIN = 5.0
_PATIENCE = 29.0
_ORDERS = (3, 5, 8)


@dataclass
class _Life:
    """How long a case took: until its application was taken, and from its decision until it was closed."""

    taken: float
    handed_over: float


async def _life(regions: Regions, seed: int) -> _Life:
    run, begin, moments = CaseRun(regions.handling, YIELDING), time.monotonic(), list[float]()
    run.created = run.decided = lambda _count: moments.append(time.monotonic())
    await run.run(1, seed)
    await run.closed()
    taken, decided = moments
    return _Life(taken - begin, time.monotonic() - decided)


async def _doors(regions: Regions) -> dict[str, int]:
    """How each service answers at its door; of a log without a record: 404."""
    http = regions.handling.gateway.http
    answers = await asyncio.gather(*(http.get(f"/v1/audit/{each}/auditHead") for each in SERVICES))
    return {each: answer.status_code for each, answer in zip(SERVICES, answers, strict=True)}


async def _until_answers(regions: Regions, usual: dict[str, int]) -> float:
    """Seconds until every service answers as it used to."""
    begin = time.monotonic()
    async with asyncio.timeout(_PATIENCE):
        while True:
            if await _doors(regions) == usual:
                return time.monotonic() - begin
            await asyncio.sleep(0.05)


async def _kill_in(regions: Regions, order: list[str], draw: random.Random) -> None:
    region, deaths = regions.handling.gateway.id, dict[str, int]()
    for part in order:
        deaths[part] = kill(regions, region, part)
        await asyncio.sleep(draw.random())
    await asyncio.gather(*(back(regions, region, part, restarts) for part, restarts in deaths.items()))


@pytest.mark.parametrize("seed", _ORDERS)
async def test_everything_goes_on_soon(regions: Regions, seed: int) -> None:
    """Doors, first answers and workers. What the work itself takes, on this machine and now, is measured before and not counted."""
    draw, usual_doors = random.Random(seed), await _doors(regions)
    usual = await _life(regions, 100 + seed)
    order = draw.sample(_PARTS, len(_PARTS))
    await _kill_in(regions, order, draw)
    doors, life = await asyncio.gather(_until_answers(regions, usual_doors), _life(regions, 200 + seed))
    print(
        f"\nkilled {', '.join(order)}: doors open after {doors:.1f} s, {usual} before, {life} after the last was back"
    )
    assert doors <= _GOES_ON_WITHIN
    assert life.taken - usual.taken <= _GOES_ON_WITHIN
    assert life.handed_over - usual.handed_over <= _GOES_ON_WITHIN


async def _until_health(regions: Regions, code: int, away: str = "") -> None:
    """Waits until the region's health is told so, with ``away`` among what does not serve."""
    async with asyncio.timeout(20.0):
        while True:
            answer = await regions.handling.gateway.http.get("/healthz")
            if answer.status_code == code and answer.json()["services"].get(away, "") in ("NOT_SERVING", away):
                return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(("part", "told"), [("postgres", "cases/database"), ("redis", "cases/redis")])
async def test_what_hangs_is_told(regions: Regions, part: str, told: str) -> None:
    """Health follows within seconds, and calls say what does not answer instead of blaming who calls."""
    region = regions.handling.gateway.id
    callers = await callers_of(regions, 400 + len(part))
    await callers.create(20.0)
    async with frozen(regions, region, part):
        await _until_health(regions, 503, told)
        if part == "postgres":
            begin = time.monotonic()
            await callers.create(25.0)
            assert callers.refused == ["DEPENDENCY_UNAVAILABLE"]
            assert time.monotonic() - begin < 20.0
    await _until_health(regions, 200)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_hangs_is_told(regions: Regions, service: str) -> None:
    """Within half of what a caller gives; those who come later at once."""
    region, http = regions.handling.gateway.id, regions.handling.gateway.http
    path, usual = f"/v1/audit/{service}/auditHead", await _doors(regions)
    async with frozen(regions, region, service):
        begin = time.monotonic()
        first = await http.get(path, timeout=_PATIENCE)
        told = time.monotonic() - begin
        await _until_health(regions, 503, service)
        begin = time.monotonic()
        second = await http.get(path, timeout=_PATIENCE)
        later = time.monotonic() - begin
    print(f"\n{service} frozen: told after {told:.1f} s, the next after {later:.1f} s")
    for answer in (first, second):
        assert answer.status_code == 503
        assert answer.json()["details"][0]["reason"] == "DEPENDENCY_UNAVAILABLE"
        assert answer.headers["retry-after"]
    assert max(told, later) < _PATIENCE / 2
    await _until_health(regions, 200)
    await _until_answers(regions, usual)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_restart_of_any_service_fails_no_case(regions: Regions, service: str) -> None:
    """Cases are applied for, handled and decided all the while, through the gateway and between the services."""
    region, over, run = regions.handling.gateway.id, asyncio.Event(), CaseRun(regions.handling, YIELDING)

    async def handle() -> None:
        seed = 1_000 * (1 + SERVICES.index(service))
        while not over.is_set():
            seed += 1
            await run.run(4, seed)

    handling = asyncio.ensure_future(handle())
    for signal_number in (15, 9):
        await asyncio.sleep(1.0)
        await back(regions, region, service, kill(regions, region, service, signal_number))
    await asyncio.sleep(1.0)
    over.set()
    await handling
    assert run.repeats == 0
    await run.closed()


async def test_a_restart_loses_no_call_that_may_be_repeated(regions: Regions) -> None:
    """In order (SIGTERM), and without (SIGKILL): calls wait, and none fails."""
    region = regions.handling.gateway.id
    callers, over = await callers_of(regions, 67), asyncio.Event()

    async def call() -> None:
        while not over.is_set():
            await callers.create(29.0)

    calling = [asyncio.ensure_future(call()) for _ in range(4)]
    for signal_number in (15, 9):
        await asyncio.sleep(1.0)
        await back(regions, region, "cases", kill(regions, region, "cases", signal_number))
    await asyncio.sleep(1.0)
    over.set()
    await asyncio.gather(*calling)
    assert callers.refused == []
    assert callers.acknowledged
