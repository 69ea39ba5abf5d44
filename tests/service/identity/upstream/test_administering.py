"""Identity providers of others are entered by one human being, believed with two, and ended by one."""

import uuid

import pytest

from tests.support.signing_in import sign_in_stub
from tests.support.town import Town, reason_of, request_id
from tests.support.upstreams import agreed, approve, described, end, get, propose
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROPOSED, ACTIVE, ENDED = pb.UPSTREAM_STATE_PROPOSED, pb.UPSTREAM_STATE_ACTIVE, pb.UPSTREAM_STATE_ENDED


def _issuer() -> str:
    return f"https://{uuid.uuid4()}.idp.test"


async def test_one_human_being_makes_no_identity_provider(home: Town) -> None:
    first, second = await home.administrators()
    made = await propose(home, described(_issuer()), first)
    assert (made.state, made.approvals, made.full_name_claim) == (PROPOSED, 1, "name")
    assert await reason_of(approve(home, made, first)) == "ACTING_ON_SELF"
    assert await reason_of(approve(home, made, await home.admin_token())) == "ACTOR_NOT_ALLOWED"
    stands = await approve(home, made, second)
    assert (stands.state, stands.approvals) == (ACTIVE, 0)
    assert await reason_of(approve(home, stands, second)) == "STATE_CONFLICT"
    assert await get(home, made.name, first) == stands


async def test_a_machine_counts_for_nobody(home: Town) -> None:
    first, second = await home.administrators()
    made = await propose(home, described(_issuer()), await home.admin_token())
    assert (made.state, made.approvals) == (PROPOSED, 0)
    half = await approve(home, made, first)
    assert (half.state, half.approvals) == (PROPOSED, 1)
    assert await reason_of(approve(home, made, second)) == "ETAG_MISMATCH"
    assert (await approve(home, half, second)).state == ACTIVE


async def test_what_was_entered_is_told_as_it_was_entered(home: Town) -> None:
    first, _ = await home.administrators()
    asked = described(_issuer(), scopes=["openid", "profile", "realname"], full_name_claim="xm")
    made = await propose(home, asked, first)
    assert list(made.scopes) == ["profile", "realname"]
    same = ("display_name", "display_name_en", "issuer", "client_id", "number_claim", "full_name_claim")
    assert [getattr(made, each) for each in same] == [getattr(asked, each) for each in same]
    assert (list(made.assurance_names), made.max_assurance) == (list(asked.assurance_names), 2)


async def test_an_issuer_has_one_that_has_not_ended(home: Town) -> None:
    first, _ = await home.administrators()
    asked, key = described(_issuer()), request_id()
    made = await propose(home, asked, first, key)
    assert await propose(home, asked, first, key) == made
    assert await reason_of(propose(home, asked, first)) == "RESOURCE_EXISTS"
    assert await reason_of(end(home, made.name, first, '"7"')) == "ETAG_MISMATCH"
    over = await end(home, made.name, first, made.etag)
    assert (over.state, over.end_reason, over.approvals) == (ENDED, "合同到期", 0)
    assert await reason_of(end(home, made.name, first)) == "STATE_CONFLICT"
    assert await reason_of(approve(home, over, first)) == "STATE_CONFLICT"
    assert (await propose(home, asked, first)).state == PROPOSED


@pytest.mark.parametrize(
    "issuer",
    [
        "http://idp.test",
        "https://127.0.0.1",
        "https://u@idp.test",
        "https://idp.test/#a",
        "https://[::1",
        "https://idp.test/?a",
    ],
)
async def test_an_issuer_is_somewhere_that_is_called(home: Town, issuer: str) -> None:
    first, _ = await home.administrators()
    assert await reason_of(propose(home, described(issuer), first)) == "FIELD_INVALID"


async def test_a_word_stands_for_one_level(home: Town) -> None:
    first, _ = await home.administrators()
    twice = [resources_pb2.AssuranceName(value="gold", assurance=level) for level in (1, 3)]
    asked = described(_issuer(), assurance_names=twice)
    assert await reason_of(propose(home, asked, first)) == "FIELD_INVALID"


async def test_nobody_finds_what_is_not_there(home: Town) -> None:
    first, second = await home.administrators()
    away = pb.Upstream(name=f"upstreams/{uuid.uuid4()}", etag='"1"')
    for call in (approve(home, away, second), end(home, away.name, first), get(home, away.name, first)):
        assert await reason_of(call) == "RESOURCE_NOT_FOUND"


async def test_they_are_listed_by_state(home: Town) -> None:
    first, _ = await home.administrators()
    stands, waits = await agreed(home, described(_issuer())), await propose(home, described(_issuer()), first)
    request = pb.ListUpstreamsRequest(filter="state = UPSTREAM_STATE_ACTIVE", page_size=1)
    page = await home.call(sign_in_stub(home).ListUpstreams, request, pb.ListUpstreamsResponse, first)
    assert [each.name for each in page.upstreams] == [stands.name]
    everything = pb.ListUpstreamsRequest(page_size=1)
    page = await home.call(sign_in_stub(home).ListUpstreams, everything, pb.ListUpstreamsResponse, first)
    assert [each.name for each in page.upstreams] == [waits.name]
