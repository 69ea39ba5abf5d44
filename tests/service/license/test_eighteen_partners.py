"""Eighteen partner regions, of which one is there: lists of licences name the seventeen others."""

import asyncio

import pytest

from libs.lists import regional
from tests.service.license.conftest import License
from tests.service.license.test_licenses_of_regions import answer, held, listed, names, there
from tests.support.backends import HOST, free_port
from tests.support.fakes_license import ABROAD
from tests.support.partners import IDS, dark_gateways
from tongban.license.v1 import license_service_pb2 as pb

AWAY = [each for each in IDS if each != "341500"]


async def everything(licensing: License, *regions: str) -> list[pb.ListLicensesResponse]:
    pages = [await listed(licensing, regions=regions)]
    while pages[-1].next_page_token:
        pages.append(await listed(licensing, regions=regions, page_token=pages[-1].next_page_token))
    return pages


async def test_seventeen_that_are_away_are_named_and_the_one_that_is_there_comes(licensing: License) -> None:
    home = await held(licensing, 1)
    licensing.known.trusted |= set(AWAY)
    licensing.known.gateways |= {each: f"http://{HOST}:{free_port()}" for each in AWAY}
    licensing.known.lists_abroad = [answer(there(7))]
    pages = await everything(licensing, *AWAY, ABROAD)
    assert [name for page in pages for name in names(page)] == [home[0], f"//{ABROAD}/{there(7)}"]
    assert [region for page in pages for region in page.unreachable] == AWAY


async def test_gateways_that_say_nothing_hold_one_connection_each(
    licensing: License, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regional, "patience", lambda: asyncio.timeout(0.2))
    home = await held(licensing, 1)
    async with dark_gateways(*AWAY) as dark:
        licensing.known.trusted |= set(AWAY)
        licensing.known.gateways |= {region: f"http://{at}" for region, at in dark.addresses.items()}
        for pages in await asyncio.gather(*(everything(licensing, *AWAY) for _ in range(3))):
            assert [name for page in pages for name in names(page)] == home
            assert [region for page in pages for region in page.unreachable] == AWAY
        assert dark.most == dict.fromkeys(AWAY, 1)
