"""A region whose id is no code: cases cross between it and a region that is named by its code, both ways."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from libs.config import DivisionCode, RegionConfig
from tests.service.cases.conftest import Town, running
from tests.service.cases.pairs import ITEM, Pair
from tests.support.service import Ground
from tongban.cases.v1 import exchange_service_pb2 as rpc
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as pb

WANZHI = RegionConfig(id="wanzhi", name="芜湖市湾沚区", codes=(DivisionCode(code="340210"),))


@pytest_asyncio.fixture
async def pair(ground: Ground) -> AsyncIterator[Pair]:
    """六安, whose id is its code, and 湾沚, whose id is none; 湾沚 decides."""
    async with running(ground) as home, running(ground, WANZHI) as handling:
        for one, other in ((home, handling), (handling, home)):
            one.known.others[other.known.code] = other.known
            one.known.trusted.add(other.known.code)
        yield Pair(home, handling, await handling.item(**ITEM))


async def _transfer(town: Town, name: str) -> rpc.CaseTransfer:
    return await town.call(
        town.exchange.GetCaseTransfer, rpc.GetCaseTransferRequest(name=name), rpc.CaseTransfer, town.clerk
    )


async def test_a_case_crosses_to_a_region_that_is_named_by_no_code(pair: Pair) -> None:
    sent = await pair.send(pair.request(handling_region="wanzhi"))
    await pair.carry()
    known = await _transfer(pair.home, sent.name)
    assert (known.handling_region, known.case.rpartition("/")[0]) == ("wanzhi", "//wanzhi/cases")
    case = await pair.handling.get(known.case.removeprefix("//wanzhi/"))
    assert (case.receiving_region, case.applicant.subject.partition("/organizations/")[0]) == ("341500", "//341500")


@pytest.mark.parametrize("region", ["wanzhi-", "-wanzhi", "Wanzhi", "w"])
async def test_what_can_be_no_id_is_refused(pair: Pair, region: str) -> None:
    with pytest.raises(Exception, match="FIELD_INVALID"):
        await pair.send(pair.request(handling_region=region))


async def test_an_item_is_open_to_regions_by_their_ids(pair: Pair) -> None:
    content: dict[str, Any] = ITEM | {
        "cross_region": item_service_pb2.CrossRegion(
            mode=pb.CROSS_REGION_MODE_COLLECTED, regions=["341500", "wan-zhi-2"]
        )
    }
    item = await pair.home.item(**content)
    assert list(item.content.cross_region.regions) == ["341500", "wan-zhi-2"]
