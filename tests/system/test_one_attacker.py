"""One attacker of each sort beside ten honest callers, through the real gateway: none of the ten may fail."""

import pytest

from tests.support.attack import tokens_of
from tests.support.attackers import ATTACKERS, beside
from tests.support.regions import Regions

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


@pytest.mark.parametrize("sort", ATTACKERS)
async def test_nobody_fails_beside_an_attacker(regions: Regions, sort: str) -> None:
    gateway = regions.home.gateway
    tokens = [tokens_of(regions.state, gateway.id, gateway.url, number)["STAFF"] for number in range(11)]
    failures = await beside(gateway.url, ATTACKERS[sort], tokens[0], tokens[1:])
    assert failures == []
