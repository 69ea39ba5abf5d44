"""When somebody signed in goes with every token that is made of theirs, and never becomes younger (RFC 9470)."""

import time

import pytest

from libs import outside
from libs.rpc.token_types import ACCESS_TOKEN, ASSERTION
from tests.service.identity.conftest import Federation
from tests.support.from_now import FromNow, timed
from tests.support.patience import invoke
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import (
    mandate_service_pb2,
    resources_pb2,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.options.v1 import options_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR = 3600
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
TRANSFER = "caseTransfers/00000000-0000-7000-8000-000000000001"


async def _service_token(town: Town) -> str:
    channel = town.neighbour("cases")
    stub = token_service_pb2_grpc.TokenServiceStub(channel)
    asked, answer = token_service_pb2.IssueServiceTokenRequest(), token_service_pb2.IssueServiceTokenResponse
    made = await invoke(stub.IssueServiceToken, asked, answer, to="identity", token="")
    await channel.close()
    return made.access_token


async def _auth_time(town: Town, token: str) -> int:
    return (await town.verifier().verify(token)).auth_time


async def test_it_goes_with_what_a_person_exchanges(home: Town) -> None:
    boss, then = await home.person(), int(time.time()) - HOUR
    firm = await home.firm(boss)
    own = await home.human_token(boss, auth_time=then)
    assert await _auth_time(home, own) == then
    assert await _auth_time(home, await home.exchange(own, on_behalf_of=firm.name)) == then
    fresh = await home.staff_token()
    assert await _auth_time(home, await home.at_window(own, fresh)) == then, "a clerk makes nobody's sign-in younger"
    silent = await home.human_token(boss, auth_time=None)
    assert await _auth_time(home, silent) == 0
    assert await _auth_time(home, await home.at_window(silent, fresh)) == 0


async def test_it_crosses_the_border(federation: Federation) -> None:
    person, then = await federation.home.person(), int(time.time()) - HOUR
    own = await federation.home.human_token(person, auth_time=then)
    assertion = await federation.home.exchange(own, audience="//320402")
    token = await federation.away.exchange(assertion, ASSERTION)
    assert await _auth_time(federation.away, token) == then


async def test_what_was_kept_for_later_tells_when_it_was_asked_for(federation: Federation) -> None:
    """An application may be brought over days later: how new the sign-in was is seen by when it was asked for."""
    home, then = federation.home, int(time.time()) - HOUR
    own = await home.human_token(await home.person(), auth_time=then)
    window = await home.at_window(own, await home.staff_token())
    kept = await home.exchange(window, audience="//320402", transfer=TRANSFER, requested_token_type=DELEGATION)
    made = outside.jwt_parts(kept, 8192)[1]["iat"]
    service = await _service_token(home)
    assertion = await home.exchange(
        kept,
        DELEGATION,
        actor_token=service,
        actor_token_type=ACCESS_TOKEN,
        audience="//320402",
        transfer=TRANSFER,
    )
    guest = (await federation.away.verifier().verify(await federation.away.exchange(assertion, ASSERTION))).claims
    assert (guest["delegated"], guest["auth_time"]) == (made, then)
    # Of what they do at once it says nothing.
    alone = await federation.away.exchange(await home.exchange(own, audience="//320402"), ASSERTION)
    assert "delegated" not in (await federation.away.verifier().verify(alone)).claims


@pytest.mark.parametrize("said", [FromNow(HOUR), "soon", -1, 2**60, True], ids=str)
async def test_a_channel_does_not_tell_what_can_not_be(home: Town, said: object) -> None:
    answer = await home.post(**home.asserted(await home.person(), **timed({"auth_time": said})))
    assert (answer.status_code, answer.json()["reason"]) == (400, "TOKEN_INVALID")


async def test_a_mandate_is_given_soon_after_the_sign_in(home: Town) -> None:
    boss, agent = await home.person(), await home.person()
    scope = resources_pb2.MandateScope(all_items=True, powers=[options_pb2.MANDATE_POWER_APPLY])
    mandate = resources_pb2.Mandate(principal=boss, agent=agent, scope=scope)
    mandate.end_time.FromSeconds(int(home.service.process.clock.now().timestamp()) + HOUR)

    async def give(auth_time: int | None) -> resources_pb2.Mandate:
        request = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
        token = await home.human_token(boss, auth_time=auth_time)
        return await home.call(home.mandates.CreateMandate, request, resources_pb2.Mandate, token)

    for signed_in in (int(time.time()) - HOUR, None):
        assert await reason_of(give(signed_in)) == "AUTHENTICATION_TOO_OLD"
    assert (await give(int(time.time()) - 600)).principal == boss
