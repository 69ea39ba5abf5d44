"""A suspended client: what people agreed to ends with the suspension, for good; what is the region's own stands still or goes on."""

from typing import Any

import pytest

from services.identity.app import signing_keys
from services.identity.core.parts import parts_of
from services.identity.signin.worker import Forgetter
from tests.service.identity.api_clients.clients import suspend
from tests.support.client_keys import Machine
from tests.support.devices import codes_of, kiosk, poll
from tests.support.signing_in import Opened, changed, enrolled, refused, relying_party, sign_in_stub
from tests.support.town import Town, request_id
from tongban.identity.v1 import client_service_pb2, resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _resume(home: Town, party: Machine) -> None:
    request = client_service_pb2.ResumeClientRequest(name=f"clients/{party.client_id}", request_id=request_id())
    token = (await home.administrators())[0]
    answer = await home.call(home.clients.ResumeClient, request, resources_pb2.Client, token)
    assert answer.state == resources_pb2.CLIENT_STATE_ACTIVE


async def _suspended_for_a_while(home: Town, party: Machine) -> None:
    await suspend(home, f"clients/{party.client_id}")
    await _resume(home, party)


async def _shown(home: Town, person: str) -> list[pb.SignInGrant]:
    request, token = pb.ListSignInGrantsRequest(page_size=50), await home.human_token(person)
    return list(
        (
            await home.call(sign_in_stub(home).ListSignInGrants, request, pb.ListSignInGrantsResponse, token)
        ).sign_in_grants
    )


async def test_refresh_tokens_and_codes_end_with_it_for_good(home: Town, opened: Opened) -> None:
    party, person = await relying_party(home), await enrolled(home)
    browser = opened(party)
    tokens, code = await browser.signed_in(person), await browser.code(person)
    await suspend(home, f"clients/{party.client_id}")
    for answer in (await browser.refresh(tokens["refresh_token"]), await browser.tokens(code)):
        assert answer.json()["reason"] == "CLIENT_NOT_ACTIVE", answer.text
    await _resume(home, party)
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    refused(await browser.tokens(code), "invalid_grant")
    told = await home.http.post("/oauth/introspect", data={"token": tokens["refresh_token"], **home.client_form(party)})
    assert told.json() == {"active": False}
    ended = [(each.state, each.end_reason) for each in await _shown(home, person)]
    assert ended == 2 * [(pb.SIGN_IN_GRANT_STATE_REVOKED, pb.SIGN_IN_GRANT_END_CLIENT_SUSPENDED)]


async def test_people_stay_signed_in_to_the_region_and_agree_anew(home: Town, opened: Opened) -> None:
    party, other, person = await relying_party(home), await relying_party(home), await enrolled(home)
    browser = opened(party)
    await browser.signed_in(person)
    elsewhere = opened(other)
    kept = await elsewhere.signed_in(person)
    await _suspended_for_a_while(home, party)
    assert (await elsewhere.refresh(kept["refresh_token"])).status_code == 200
    page = await browser.begin()
    assert "/oauth/consent" in page.text, "who is signed in types nothing, and agrees anew"
    assert (await browser.refresh((await browser.signed_in(person))["refresh_token"])).status_code == 200


async def test_a_page_that_was_open_and_a_pushed_request_are_over(home: Town, opened: Opened) -> None:
    party, person = await relying_party(home), await enrolled(home)
    browser = opened(party)
    await browser.begin()
    form = {**browser.asked(), **home.client_form(party)}
    pushed = (await home.http.post("/oauth/par", data=form)).json()["request_uri"]
    await _suspended_for_a_while(home, party)
    assert (await browser.sign_in(person)).status_code == 400
    answer = await browser.get("/oauth/authorize", client_id=party.client_id, request_uri=pushed)
    assert answer.status_code == 400


async def test_a_device_that_waits_gets_nothing_any_more(home: Town, opened: Opened) -> None:
    device, person = await kiosk(home), await enrolled(home)
    waits, agreed, browser = await codes_of(home, device), await codes_of(home, device), opened(device)
    browser.page = await browser.post("/oauth/device", user_code=agreed["user_code"])
    await browser.sign_in(person)
    answer = await browser.submit("/oauth/consent", decision="allow")
    assert answer.headers["location"] == "/oauth/device/allowed"
    await _suspended_for_a_while(home, device)
    for codes, why in ((waits, "expired_token"), (agreed, "invalid_grant")):
        refused(await poll(home, device, codes["device_code"]), why)
    page = await browser.post("/oauth/device", user_code=waits["user_code"])
    assert page.status_code == 400


async def test_what_one_statement_does_not_note_the_worker_does(home: Town, opened: Opened) -> None:
    party, person = await relying_party(home), await enrolled(home)
    tokens = await (browser := opened(party)).signed_in(person)
    await changed(home, f"UPDATE clients SET suspensions = suspensions + 1 WHERE id = '{party.client_id}'")
    assert [each.state for each in await _shown(home, person)] == [pb.SIGN_IN_GRANT_STATE_ACTIVE]
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    process: Any = home.service.process
    await Forgetter(parts_of(process, process.config, signing_keys(process))).forget()
    (found,) = await _shown(home, person)
    assert found.end_reason == pb.SIGN_IN_GRANT_END_CLIENT_SUSPENDED
