"""Trust between a region that is named by its code and one whose id is none: each takes the other's people."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.config import DivisionCode, RegionConfig
from libs.rpc.token_types import ASSERTION
from tests.service.identity.conftest import POSTS, Federation
from tests.support.service import Ground
from tests.support.town import Town, town

pytestmark = pytest.mark.asyncio(loop_scope="module")
WANZHI = RegionConfig(id="wanzhi", name="芜湖市湾沚区", codes=(DivisionCode(code="340210"),))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def federation(home: Town, ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Federation]:
    """六安 and 湾沚, each on the other's trust list."""
    async with town(ground, tmp_path_factory.mktemp("wanzhi"), WANZHI) as away:
        await away.settle(*POSTS)
        await home.trust(away)
        await away.trust(home)
        yield Federation(home, away)


async def test_people_of_each_are_people_in_the_other(federation: Federation) -> None:
    for one, other in ((federation.home, federation.away), (federation.away, federation.home)):
        person = await one.person()
        assertion = await one.exchange(await one.human_token(person), audience=f"//{other.region.id}")
        guest = await other.verifier().verify(await other.exchange(assertion, ASSERTION))
        assert (guest.subject, guest.region, guest.client) == (
            f"//{one.region.id}/{person}",
            one.region.id,
            f"//{one.region.id}",
        )
