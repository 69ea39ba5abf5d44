"""A hundred thousand requests of nonsense at every door; and identity frozen for a minute while everybody goes on."""

import asyncio

import pytest

from tests.support.attack import Attack, tokens_of
from tests.support.attackers import Caller, honest
from tests.support.faults import frozen
from tests.support.regions import Regions

pytestmark = [pytest.mark.chaos, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(3600)]

_SEEDS = range(10, 20)
_EACH = 10_000
_FROZEN_SECONDS = 60


@pytest.mark.parametrize("seed", _SEEDS)
async def test_nonsense_is_the_caller_s_fault_and_told_so(regions: Regions, seed: int) -> None:
    gateway = regions.home.gateway
    attack = Attack(gateway.url, tokens_of(regions.state, gateway.id, gateway.url), seed)
    assert await attack.run(_EACH) == {}


async def test_what_was_valid_stays_valid_while_identity_is_frozen(regions: Regions) -> None:
    """Only what identity itself must answer is away, and told so; nobody's token is called bad."""
    gateway = regions.home.gateway
    callers = [Caller(gateway.url, tokens_of(regions.state, gateway.id, gateway.url, n)["STAFF"]) for n in range(5)]
    known = [await caller.call("/tongban.license.v1.LicenseService/GetLicense", b"") for caller in callers]
    assert known == ["INVALID_ARGUMENT FIELD_INVALID"] * len(callers)
    over, failures = asyncio.Event(), list[str]()
    async with frozen(regions, gateway.id, "identity"):
        asking = [asyncio.ensure_future(honest(caller, over, failures, away="identity")) for caller in callers]
        await asyncio.sleep(_FROZEN_SECONDS)
        over.set()
        await asyncio.gather(*asking)
    for caller in callers:
        await caller.close()
    assert failures == []
