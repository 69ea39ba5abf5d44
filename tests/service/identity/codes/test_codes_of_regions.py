"""A code of a partner region: known here by that region's keys, as far as the trust in it goes, and of nobody who is named here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from libs.rpc.token_types import ASSERTION
from services.identity.codes.service import CodeMint
from tests.service.identity.conftest import Federation
from tests.support import sql
from tests.support.codes import SCENES, Codes, gate
from tests.support.silence import records
from tests.support.town import reason_of, request_id
from tongban.identity.v1 import code_service_pb2 as pb
from tongban.identity.v1 import region_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def here(federation: Federation) -> Codes:
    return Codes(federation.home)


@pytest.fixture(scope="module")
def there(federation: Federation) -> Codes:
    return Codes(federation.away)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guest(there: Codes) -> str:
    return await there.town.person()


@asynccontextmanager
async def _listed_as(codes: Codes, region: str, change: str, back: str) -> AsyncIterator[None]:
    """Changes the entry of a region on the trust list for a while."""
    for statement in (change, back):
        async with codes.town.service.process.database.transaction() as connection:
            await sql.execute(connection, f"UPDATE regions SET {statement} WHERE id = '{region}'")
        if statement is change:
            yield


@pytest.mark.parametrize("scene", SCENES)
async def test_it_holds_here_and_tells_of_nobody(here: Codes, there: Codes, guest: str, scene: str) -> None:
    code, away = await there.shown(guest), there.town.region.id
    answer = await here.scan(scene, code)
    assert (answer.code.region, list(answer.code.unreachable), answer.code.assurance) == (away, [away], 4)
    told = {field.name for field, _ in answer.ListFields()}
    assert told == {"code"}
    assert await reason_of(here.scan(scene, code)) == "CODE_REPLAYED"
    assert (await records(here.town.service))[-1] == ("codes" if scene == "Transport" else f"//{away}/codes")
    # There it was not used: nobody asked.
    await there.scan(scene, code)


async def test_a_stream_takes_codes_of_both(here: Codes, there: Codes, guest: str) -> None:
    own = await here.shown(await here.town.person())
    theirs = await there.shown(guest)
    (found,) = await here.stream([gate(own, theirs)])
    assert [each.answer.code.region for each in found.answer.scans] == [here.town.region.id, there.town.region.id]


async def test_the_trust_decides_how_far_it_is_believed(here: Codes, there: Codes, guest: str) -> None:
    away = there.town.region.id
    for change, back, reason in (
        ("inbound_state = 'SUSPENDED'", "inbound_state = 'OPEN'", "REGION_NOT_TRUSTED"),
        ("inbound_actor_kinds = '{SERVICE}'", "inbound_actor_kinds = '{}'", "REGION_TRUST_NOT_COVERING"),
        ("code_keys = '[]'", f"code_keys = '{await _pinned(here, away)}'", "CODE_INVALID"),
    ):
        async with _listed_as(here, away, change, back):
            for scene in SCENES:
                assert await reason_of(here.scan(scene, await there.shown(guest))) == reason
    # The other way round the trust has a ceiling of 3.
    answer = await there.scan("Transport", await here.shown(await here.town.person()))
    assert answer.code.assurance == 3


async def _pinned(codes: Codes, region: str) -> str:
    async with codes.town.service.process.database.read() as connection:
        (row,) = await sql.execute(connection, f"SELECT code_keys::text FROM regions WHERE id = '{region}'")
    return str(row[0])


async def test_a_region_signs_for_no_other(here: Codes, there: Codes, guest: str) -> None:
    """Neither in its own name by keys that are pinned for another, nor in another's."""
    forged, _ = _mint_as(there, here.town.region.id).make(guest.removeprefix("persons/"), 4)
    nowhere, _ = _mint_as(there, "110101").make(guest.removeprefix("persons/"), 4)
    for scene in SCENES:
        assert await reason_of(here.scan(scene, forged)) == "CODE_INVALID"
        assert await reason_of(here.scan(scene, nowhere)) == "REGION_NOT_TRUSTED"


def _mint_as(codes: Codes, region: str) -> CodeMint:
    made = codes.mint()
    made._region = region
    return made


async def test_a_guests_code_is_made_at_home(here: Codes, there: Codes, guest: str) -> None:
    away = await there.town.human_token(guest)
    assertion = await there.town.exchange(away, audience=f"//{here.town.region.id}")
    token = await here.town.exchange(assertion, ASSERTION)
    assert await reason_of(here.issue(token)) == "REGION_MISMATCH"


async def test_keys_of_codes_are_published_and_pinned_apart_from_those_of_tokens(here: Codes, there: Codes) -> None:
    answer = resources_pb2.JsonWebKeySet
    published = await there.town.call(there.stub.GetCodeKeys, pb.GetCodeKeysRequest(), answer, "")
    anchor = there.town.anchor()
    assert published == anchor.code_keys
    assert not {each.kid for each in published.keys} & {each.kid for each in anchor.jwks.keys}
    found = await here.town.call(
        here.town.regions.GetRegion,
        region_service_pb2.GetRegionRequest(name=f"regions/{there.town.region.id}"),
        resources_pb2.Region,
        await here.town.admin_token(),
    )
    assert found.anchor.code_keys == published
    for wrong in (anchor.jwks, resources_pb2.JsonWebKeySet(keys=[_rsa()])):
        anchor.code_keys.CopyFrom(wrong)
        request = region_service_pb2.SetRegionKeysRequest(
            name=found.name, anchor=anchor, etag=found.etag, request_id=request_id()
        )
        token = (await here.town.administrators())[0]
        assert await reason_of(
            here.town.call(here.town.regions.SetRegionKeys, request, resources_pb2.Region, token)
        ) == ("FIELD_INVALID")


def _rsa() -> resources_pb2.JsonWebKey:
    return resources_pb2.JsonWebKey(kid="1", kty="RSA", alg="PS256", n="w" * 342, e="AQAB")
