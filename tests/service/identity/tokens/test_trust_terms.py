"""What the trust covers each way is asked where one region's token becomes the other's."""

import pytest

from libs.errors import PermissionDenied
from libs.rpc.token_types import ASSERTION
from tests.service.identity.conftest import Federation
from tests.support.town import Town, request_id, trusted
from tongban.identity.v1 import region_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
PERSON, STAFF = options_pb2.ACTOR_KIND_PERSON, options_pb2.ACTOR_KIND_STAFF
HOME, AWAY = "//341500", "//320402"


async def _anew(town: Town, other: Town, **terms: resources_pb2.RegionTrust) -> None:
    """Ends the trust and begins it with other terms."""
    end = region_service_pb2.EndRegionRequest(name=f"regions/{other.region.id}", reason="换约", request_id=request_id())
    await town.call(town.regions.EndRegion, end, resources_pb2.Region, await town.admin_token())
    region = await town.trust(other, **terms)
    assert (region.inbound.state, region.outbound.state) == (resources_pb2.TRUST_STATE_OPEN,) * 2


async def _told(town: Town, token: str, kind: str = "", audience: str = "") -> dict[str, str]:
    with pytest.raises(PermissionDenied) as refused:
        await (town.exchange(token, kind) if kind else town.exchange(token, audience=audience))
    assert refused.value.reason == "REGION_TRUST_NOT_COVERING"
    return refused.value.metadata


async def test_a_region_takes_whom_its_terms_cover(federation: Federation) -> None:
    home, away = federation.home, federation.away
    await _anew(away, home, inbound=trusted(3, min_assurance=2, actor_kinds=[PERSON]))
    person = await home.person()
    good = await home.exchange(await home.human_token(person), audience=AWAY)
    assert (await away.verifier().verify(await away.exchange(good, ASSERTION))).assurance == 3
    weak = await home.exchange(await home.human_token(person, acr="1"), audience=AWAY)
    told = {"region": "341500", "direction": "INBOUND"}
    assert await _told(away, weak, ASSERTION) == told | {"rule": "assurance"}
    officer = await home.exchange(await home.staff_token(), audience=AWAY)
    assert await _told(away, officer, ASSERTION) == told | {"rule": "actor_kind"}
    window = await home.at_window(await home.human_token(person), await home.staff_token())
    assert await _told(away, await home.exchange(window, audience=AWAY), ASSERTION) == told | {"rule": "actor_kind"}


async def test_a_region_speaks_for_whom_its_terms_cover(federation: Federation) -> None:
    home, away = federation.home, federation.away
    await _anew(home, away, outbound=trusted(2, min_assurance=1, actor_kinds=[STAFF]))
    told = {"region": "320402", "direction": "OUTBOUND"}
    person = await home.human_token(await home.person())
    assert await _told(home, person, audience=AWAY) == told | {"rule": "actor_kind"}
    unknown = await home.human_token(home.staff["receiving"], acr="0")
    assert await _told(home, unknown, audience=AWAY) == told | {"rule": "assurance"}
    await _anew(away, home)
    spoken = await home.exchange(await home.staff_token(), audience=AWAY)
    assert (await away.verifier().verify(await away.exchange(spoken, ASSERTION))).assurance == 2
