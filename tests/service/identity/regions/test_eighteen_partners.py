"""天宁 has eighteen partner regions: each is known by its own keys, believed as far as was agreed with it, and ended alone."""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import ECKey

from deploy.pki.region_root import RegionRoot
from libs.rpc.token_types import ASSERTION
from tests.support.client_keys import new_key, public_jwk
from tests.support.service import Ground
from tests.support.town import TIANNING, Town, reason_of, request_id, town, trusted
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
IDS = (
    *("310107", "320505", "321003", "321283", "330106", "330482", "340221", "340603", "340823"),
    *("341500", "360102", "370102", "410102", "420102", "430102", "440305", "500103", "510104"),
)
CEILINGS = (1, 2, 3, 4)


@dataclass
class Partner:
    """A region of which nothing but its keys is there."""

    id: str
    key: ECKey
    ceiling: int
    root: bytes

    @property
    def issuer(self) -> str:
        """What its assertions bear as ``iss``."""
        return f"https://gateway-{self.id}.test"

    @property
    def anchor(self) -> resources_pb2.RegionAnchor:
        """How it is known."""
        keys = resources_pb2.JsonWebKeySet(keys=[public_jwk(self.key)])
        return resources_pb2.RegionAnchor(
            gateway_url=self.issuer, issuer=self.issuer, jwks=keys, root_certificate=self.root
        )

    def asserts(self, *, key: ECKey | None = None, **claims: Any) -> str:
        """An assertion about a person of it, of level 4."""
        now, signing = int(time.time()), key or self.key
        content = {
            "iss": self.issuer,
            "sub": f"//{self.id}/persons/{uuid.uuid4()}",
            "aud": f"//{TIANNING.id}",
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
            "actor_kind": "PERSON",
            "acr": "4",
            **claims,
        }
        header = {"alg": "ES256", "typ": "tongban-assertion+jwt", "kid": str(signing.kid)}
        return jwt.encode(header, content, signing, algorithms=["ES256"])


@dataclass
class Hub:
    """A region and its partners."""

    town: Town
    partners: list[Partner]

    async def change(self, request: Any, verb: str, token: str) -> resources_pb2.Region:
        """Calls an RPC of the trust list."""
        return await self.town.call(getattr(self.town.regions, verb), request, resources_pb2.Region, token)

    async def enter(self, partner: Partner) -> None:
        """Two administrators agree to a partner."""
        first, second = await self.town.administrators()
        terms = trusted(partner.ceiling)
        region = resources_pb2.Region(
            display_name=partner.id, anchor=partner.anchor, inbound=terms, outbound=trusted(4)
        )
        asked = pb.ProposeRegionRequest(region_id=partner.id, region=region, request_id=request_id())
        made = await self.change(asked, "ProposeRegion", first)
        agreed = pb.ActivateRegionRequest(name=made.name, etag=made.etag, request_id=request_id())
        await self.change(agreed, "ActivateRegion", second)

    async def guest(self, assertion: str) -> Any:
        """Who comes in by an assertion."""
        return await self.town.verifier().verify(await self.town.exchange(assertion, ASSERTION))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    """天宁 with all of its partners."""
    folder: Path = tmp_path_factory.mktemp("hub")
    partners = [
        Partner(each, new_key(f"{each}-1"), ceiling, RegionRoot(folder / each, each).certificate.der)
        for each, ceiling in zip(IDS, cycle(CEILINGS), strict=False)
    ]
    async with town(ground, folder, TIANNING) as found:
        await found.settle(
            ("receiving", resources_pb2.DUTY_RECEIVING), ("administration", resources_pb2.DUTY_ADMINISTRATION)
        )
        made = Hub(found, partners)
        for each in partners:
            await made.enter(each)
        yield made


async def test_all_stand_on_the_list_once_over_its_pages(hub: Hub) -> None:
    token, seen, asked = await hub.town.admin_token(), list[str](), pb.ListRegionsRequest(page_size=5)
    pages = 0
    while True:
        page = await hub.town.call(hub.town.regions.ListRegions, asked, pb.ListRegionsResponse, token)
        seen += [each.name.removeprefix("regions/") for each in page.regions]
        pages += 1
        if not page.next_page_token:
            break
        asked.page_token = page.next_page_token
    assert sorted(seen) == sorted(IDS)
    assert pages >= 4


async def test_each_is_believed_as_far_as_was_agreed_with_it(hub: Hub) -> None:
    guests = [await hub.guest(each.asserts()) for each in hub.partners]
    assert [(each.region, each.assurance) for each in guests] == [(each.id, each.ceiling) for each in hub.partners]


async def test_no_partner_signs_for_another(hub: Hub) -> None:
    for one, other in zip(hub.partners, [*hub.partners[1:], hub.partners[0]], strict=True):
        assert await reason_of(hub.guest(one.asserts(key=other.key))) == "TOKEN_INVALID"
        stolen = other.asserts(sub=f"//{one.id}/persons/{uuid.uuid4()}")
        assert await reason_of(hub.guest(stolen)) == "ASSERTION_SUBJECT_FOREIGN"


async def test_no_two_partners_have_one_issuer(hub: Hub) -> None:
    first, _ = await hub.town.administrators()
    other = Partner("610102", new_key("610102-1"), 4, hub.partners[0].root)
    region = resources_pb2.Region(display_name="x", anchor=other.anchor, inbound=trusted(4), outbound=trusted(4))
    region.anchor.issuer = hub.partners[0].issuer
    asked = pb.ProposeRegionRequest(region_id=other.id, region=region, request_id=request_id())
    assert await reason_of(hub.change(asked, "ProposeRegion", first)) == "RESOURCE_EXISTS"


async def test_who_is_suspended_is_out_alone_and_comes_back_alone(hub: Hub) -> None:
    out, token = hub.partners[4], await hub.town.admin_token()
    suspend = pb.SuspendRegionRequest(
        name=f"regions/{out.id}",
        request_id=request_id(),
        directions=[resources_pb2.TRUST_DIRECTION_INBOUND],
        reason="演练",
    )
    await hub.change(suspend, "SuspendRegion", token)
    for each in hub.partners:
        if each is out:
            assert await reason_of(hub.guest(each.asserts())) == "REGION_NOT_TRUSTED"
        else:
            assert (await hub.guest(each.asserts())).region == each.id
    for administrator in await hub.town.administrators():
        resume = pb.ResumeRegionRequest(
            name=f"regions/{out.id}",
            request_id=request_id(),
            directions=[resources_pb2.TRUST_DIRECTION_INBOUND],
            reason="演练",
        )
        await hub.change(resume, "ResumeRegion", administrator)
    assert (await hub.guest(out.asserts())).region == out.id


async def test_keys_are_rotated_with_both_good_for_one_partner_alone(hub: Hub) -> None:
    one, new = hub.partners[7], new_key("rotated-2")
    first, second = await hub.town.administrators()
    anchor = one.anchor
    anchor.jwks.keys.append(public_jwk(new))
    get = pb.GetRegionRequest(name=f"regions/{one.id}")
    etag = (await hub.change(get, "GetRegion", first)).etag
    asked = pb.SetRegionKeysRequest(name=get.name, etag=etag, anchor=anchor, request_id=request_id())
    changed = await hub.change(asked, "SetRegionKeys", first)
    assert await reason_of(hub.guest(one.asserts(key=new))) == "TOKEN_INVALID"
    agreed = pb.ApproveRegionKeysRequest(name=changed.name, etag=changed.etag, request_id=request_id())
    await hub.change(agreed, "ApproveRegionKeys", second)
    for key in (one.key, new):
        assert (await hub.guest(one.asserts(key=key))).region == one.id
    assert await reason_of(hub.guest(hub.partners[8].asserts(key=new))) == "TOKEN_INVALID"
