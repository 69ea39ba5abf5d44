"""Eighteen partner regions, of which one is there: lists name the seventeen others, and nothing grows with them."""

import asyncio
from typing import Any

import pytest

from libs.lists import regional
from tests.service.cases.pairs import Pair, pair
from tests.service.cases.test_cases_of_regions import ABROAD, applied_for, everything, named, there
from tests.support.backends import HOST, free_port
from tests.support.fakes_cases import Neighbours
from tests.support.partners import IDS, dark_gateways
from tongban.cases.v1 import case_service_pb2 as rpc

__all__ = ["pair"]
AWAY = [each for each in IDS if each != "341500"]
"""六安 is who asks; 天宁, which is there, is the eighteenth."""


def partners(pair: Pair, addresses: dict[str, str]) -> None:
    """Has 六安 trust regions that are reached at ``addresses``."""
    known = pair.home.known
    known.others |= {code: Neighbours(code, address=address) for code, address in addresses.items()}
    known.trusted |= addresses.keys()


def not_reached(pages: list[rpc.ListCasesResponse]) -> list[str]:
    return [region for page in pages for region in page.unreachable]


async def test_seventeen_that_are_away_are_named_and_the_one_that_is_there_comes(pair: Pair) -> None:
    partners(pair, {each: f"{HOST}:{free_port()}" for each in AWAY})
    own, abroad = await pair.home.create(await pair.home.item()), await applied_for(pair)
    regions = [*AWAY[:9], ABROAD, *AWAY[9:]]
    for _ in range(3):
        pages = await everything(pair.home, regions=regions)
        assert named(*pages) == [own.name, there(abroad)]
        assert not_reached(pages) == AWAY


async def test_gateways_that_say_nothing_are_given_up_and_hold_one_connection_each(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(regional, "patience", lambda: asyncio.timeout(0.2))
    own = await pair.home.create(await pair.home.item())
    async with dark_gateways(*AWAY) as dark:
        partners(pair, dark.addresses)

        async def ask() -> list[rpc.ListCasesResponse]:
            return await everything(pair.home, regions=AWAY)

        capfd.readouterr()
        # However many ask at once.
        for pages in await asyncio.gather(*(ask() for _ in range(4))):
            assert named(*pages) == [own.name]
            assert not_reached(pages) == AWAY
        assert dark.most == dict.fromkeys(AWAY, 1)
        assert _warnings(capfd) == []


def _warnings(capfd: Any) -> list[str]:
    """What the service's log says above what it says of every call."""
    lines = "".join(capfd.readouterr()).splitlines()
    return [line for line in lines if '"level": "warning"' in line or '"level": "error"' in line]
