"""Tokens that only their holder can use, by our client and by hand, through the real gateway: JSON, gRPC, uploads, another region."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.demo.office import Office, open_person
from libs.client import AsyncTongban, ProofKey
from libs.errors import Unauthenticated
from libs.ids.synthetic import SyntheticPopulation
from tests.support.regions import Regions
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHALLENGE = 'DPoP error="invalid_dpop_proof", algs="ES256 PS256"'


@pytest_asyncio.fixture(loop_scope="session")
async def machine(regions: Regions) -> AsyncIterator[tuple[AsyncTongban, ProofKey]]:
    """The administrator's program, with a key of its own."""
    office, key = regions.handling, ProofKey()
    async with AsyncTongban(office.gateway.url, office.admin, proof_key=key) as region:
        yield region, key


def _shown(key: ProofKey, office: Office, method: str, path: str, token: str) -> dict[str, str]:
    return {"authorization": f"DPoP {token}", "dpop": key.proof(method, f"{office.gateway.url}{path}", token)}


def _refused(answer: Any, rule: str) -> None:
    assert answer.status_code == 401, answer.text
    detail = answer.json()["details"][0]
    assert (detail["reason"], detail["metadata"]["rule"]) == ("POSSESSION_NOT_PROVEN", rule)
    assert answer.headers["www-authenticate"] == CHALLENGE


async def _somebody(office: Office) -> str:
    drawn = SyntheticPopulation("bound", office.gateway.code[:2]).person()
    document = common_pb2.IdentityDocument(type_code="111", number=drawn.citizen_id)
    draft = resources_pb2.Person(full_name=drawn.name, documents=[resources_pb2.HeldDocument(document=document)])
    return (await open_person(office.gateway, await office.token_of("receiving"), draft)).name


async def test_our_client_calls_by_a_bound_token(machine: tuple[AsyncTongban, ProofKey]) -> None:
    region, key = machine
    assert key.holds(await region.token())
    for _ in range(2):
        found = await region.identity.get_client(name="clients/administrator")
        assert found.name == "clients/administrator"
    listed = await region.identity.list_clients()
    assert "clients/administrator" in [each.name for each in listed.clients]


async def test_who_copied_the_token_can_not_use_it(regions: Regions, machine: tuple[AsyncTongban, ProofKey]) -> None:
    region, key = machine
    office, token, path = regions.handling, await region.token(), "/v1/clients/administrator"
    http = office.gateway.http
    shown = _shown(key, office, "GET", path, token)
    assert (await http.get(path, headers=shown)).status_code == 200
    _refused(await http.get(path, headers=shown), "jti")
    _refused(await http.get(path, headers={"authorization": f"Bearer {token}"}), "missing")
    _refused(await http.get(path, headers=_shown(ProofKey(), office, "GET", path, token)), "key")
    _refused(await http.get(path, headers=_shown(key, office, "GET", "/v1/clients", token)), "htu")
    forged = {"x-tongban-path": path, "x-tongban-method": "GET", "x-envoy-original-path": path}
    _refused(await http.get(path, headers={**_shown(key, office, "GET", "/v1/clients", token), **forged}), "htu")
    # A query is not part of what is proven (RFC 9449, 4.2).
    listed = await http.get("/v1/clients?pageSize=1", headers=_shown(key, office, "GET", "/v1/clients", token))
    assert listed.status_code == 200, listed.text
    with pytest.raises(Unauthenticated, match="POSSESSION_NOT_PROVEN"):
        await office.gateway.using(token).identity.get_client(name="clients/administrator")


async def test_of_many_that_show_one_proof_one_is_served(
    regions: Regions, machine: tuple[AsyncTongban, ProofKey]
) -> None:
    """Over two replicas of the service that knows them all by Redis."""
    region, key = machine
    office, path = regions.handling, "/v1/clients/administrator"
    shown = _shown(key, office, "GET", path, await region.token())
    answers = await asyncio.gather(*(office.gateway.http.get(path, headers=shown) for _ in range(8)))
    assert sorted(each.status_code for each in answers) == [200, *[401] * 7]


async def test_an_upload_s_bytes_are_brought_with_one_proof(regions: Regions) -> None:
    """The gateway makes two calls of one request there."""
    office, key, content = regions.handling, ProofKey(), b"bound"
    async with AsyncTongban(office.gateway.url, office.channel, proof_key=key) as region:
        clerk = region.asserting(office.staff["receiving"], "STAFF", acr="4")
        token, http, begin = await clerk.token(), office.gateway.http, "/v1/uploads/license/uploads"
        asked = {"upload": {"sizeBytes": len(content), "mediaType": "text/plain"}, "requestId": str(uuid.uuid4())}
        made = await http.post(begin, json=asked, headers=_shown(key, office, "POST", begin, token))
        assert made.status_code == 200, made.text
        path = f"/content/{made.json()['name']}"
        tus = {"content-type": "application/offset+octet-stream", "upload-offset": "0"}
        bare = {"authorization": f"DPoP {token}", **tus}
        _refused(await http.patch(path, content=content, headers=bare), "missing")
        shown = _shown(key, office, "PATCH", path, token)
        added = await http.patch(path, content=content, headers={**shown, **tus})
        assert (added.status_code, added.headers["upload-offset"]) == (204, str(len(content))), added.text
        _refused(await http.patch(path, content=content, headers={**shown, **tus}), "jti")


async def test_the_key_goes_along_to_another_region(regions: Regions) -> None:
    home, away, key = regions.home, regions.handling, ProofKey()
    person = await _somebody(home)
    async with (
        AsyncTongban(home.gateway.url, home.channel, proof_key=key) as here,
        AsyncTongban(away.gateway.url, proof_key=key) as there,
        AsyncTongban(away.gateway.url, proof_key=ProofKey()) as stranger,
    ):
        mine = here.asserting(person, "PERSON", acr="4")
        guest = mine.in_region(there, away.gateway.id)
        assert key.holds(await guest.token())
        with pytest.raises(Unauthenticated, match="POSSESSION_NOT_PROVEN"):
            await mine.in_region(stranger, away.gateway.id).token()
