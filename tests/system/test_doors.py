"""Nonsense at every door of a region (JSON, gRPC, OAuth, pages): no 5xx that is not meant, and no word of our insides.

The same seeds with a hundred thousand requests run in ``./run chaos``.
"""

import pytest

from tests.support.attack import Attack, tokens_of
from tests.support.regions import Regions

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
_REQUESTS = 4_000


def _attack(regions: Regions, seed: int) -> Attack:
    gateway = regions.home.gateway
    return Attack(gateway.url, tokens_of(regions.state, gateway.id, gateway.url), seed)


async def test_nonsense_is_the_caller_s_fault_and_told_so(regions: Regions) -> None:
    attack = _attack(regions, seed=1)
    assert await attack.run(_REQUESTS) == {}
    assert sum(attack.answers.values()) > _REQUESTS // 2, "most of it went out"


async def test_a_name_of_nothing_is_no_fault_of_ours_wherever_it_stands(regions: Regions) -> None:
    attack = _attack(regions, seed=2)
    assert await attack.sweep() == {}
    assert sum(attack.answers.values()) > 1_000
