"""What clients may know about tokens, requests that they push, and signing out."""

from typing import Any

import httpx
import pytest

from tests.support.client_keys import Machine
from tests.support.recorded import records_of
from tests.support.signing_in import GOODBYE, REDIRECT, Browser, Opened, changed, refused, relying_party, told
from tests.support.town import Town
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _asked(home: Town, path: str, party: Machine, **form: str) -> httpx.Response:
    return await home.http.post(f"/oauth/{path}", data={**form, **home.client_form(party)})


async def test_a_client_learns_of_its_own_tokens_whether_they_are_good(
    home: Town, party: Machine, person: str, browser: Browser
) -> None:
    tokens, other = await browser.signed_in(person), await relying_party(home)
    told_of = (await _asked(home, "introspect", party, token=tokens["access_token"])).json()
    assert (told_of["active"], told_of["sub"], told_of["client_id"]) == (True, person, party.client_id)
    of_refresh = (await _asked(home, "introspect", party, token=tokens["refresh_token"])).json()
    assert (of_refresh["active"], of_refresh["scope"]) == (True, "openid profile offline_access")
    for token in (tokens["access_token"], tokens["refresh_token"], "nonsense"):
        assert (await _asked(home, "introspect", other, token=token)).json() == {"active": False}
    refused(await home.http.post("/oauth/introspect", data={"token": "x"}), "invalid_client", 401)
    await browser.refresh(tokens["refresh_token"])
    used = await _asked(home, "introspect", party, token=tokens["refresh_token"])
    assert used.json() == {"active": False}


async def test_who_signed_in_is_told_with_a_record_and_a_receipt(home: Town, person: str, browser: Browser) -> None:
    tokens = await browser.signed_in(person)
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    answer = await home.http.get("/oauth/userinfo", headers=bearer)
    assert answer.json()["sub"] == person
    assert len(answer.json()["name"]) >= 2
    assert answer.headers["tongban-receipt"]
    (record, *_) = reversed(await records_of(home.service.process, "oauth.userinfo"))
    assert record.object == person


@pytest.mark.parametrize(
    ("terms", "brought", "reason"),
    [
        ({"signed_requests": resources_pb2.SIGNED_REQUESTS_REQUIRED}, "x-tongban-signer", "SIGNATURE_REQUIRED"),
        ({"ip_ranges": ["203.0.113.0/24"]}, "x-forwarded-for", "CLIENT_ADDRESS_NOT_ALLOWED"),
    ],
    ids=["signed", "from there"],
)
async def test_a_client_is_held_to_its_terms_here_too(
    home: Town, opened: Opened, person: str, terms: dict[str, Any], brought: str, reason: str
) -> None:
    """A token that was stolen tells no name to who has neither the client's key nor its address."""
    party = await relying_party(home, **terms)
    browser, there = opened(party), {"x-forwarded-for": "203.0.113.9"}
    code = await browser.code(person)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    granted = await home.http.post(
        "/oauth/token", data=form | {"code_verifier": browser.verifier} | home.client_form(party), headers=there
    )
    shown = {"authorization": f"Bearer {granted.json()['access_token']}"}
    answer = await home.http.get("/oauth/userinfo", headers=shown)
    assert (answer.status_code, answer.json()["reason"]) == (403, reason)
    right = {"x-tongban-signer": party.client_id, **there}[brought]
    assert (await home.http.get("/oauth/userinfo", headers=shown | {brought: right})).json()["sub"] == person


async def test_the_name_is_told_to_who_may_know_it_alone(home: Town, person: str, browser: Browser) -> None:
    tokens = await browser.signed_in(person, scope="openid")
    answer = await home.http.get("/oauth/userinfo", headers={"authorization": f"Bearer {tokens['access_token']}"})
    assert answer.json() == {"sub": person}
    own = {"authorization": f"Bearer {await home.human_token(person)}"}
    refused(await home.http.get("/oauth/userinfo", headers=own), "insufficient_scope", 403)
    nobody = await home.http.get("/oauth/userinfo", headers={"authorization": "Bearer x"})
    refused(nobody, "invalid_token", 401)
    assert 'error="invalid_token"' in nobody.headers["www-authenticate"]


async def test_an_access_token_by_itself_can_not_be_ended(
    home: Town, party: Machine, person: str, browser: Browser
) -> None:
    tokens = await browser.signed_in(person)
    refused(await _asked(home, "revoke", party, token=tokens["access_token"]), "unsupported_token_type")


async def test_a_pushed_request_serves_one_browser_once(
    home: Town, party: Machine, person: str, browser: Browser
) -> None:
    pushed = await _asked(home, "par", party, **browser.asked())
    assert (pushed.status_code, pushed.json()["expires_in"]) == (201, 90)
    reference = {"client_id": party.client_id, "request_uri": pushed.json()["request_uri"]}
    other = await browser.get("/oauth/authorize", client_id="window", request_uri=reference["request_uri"])
    assert other.status_code == 400
    pushed = await _asked(home, "par", party, **browser.asked())
    reference["request_uri"] = pushed.json()["request_uri"]
    browser.page = await browser.get(
        "/oauth/authorize", **reference, scope="openid evil", redirect_uri="https://evil.test"
    )
    answer = await browser.sign_in(person)
    if answer.status_code == 200:
        answer = await browser.submit("/oauth/consent", decision="allow")
    tokens = (await browser.tokens(told(answer)["code"])).json()
    assert tokens["scope"] == "openid profile offline_access", "what was pushed counts, not what stands in the address"
    assert (await browser.get("/oauth/authorize", **reference)).status_code == 400


async def test_a_pushed_request_is_checked_and_over_soon(home: Town, party: Machine, browser: Browser) -> None:
    refused(await _asked(home, "par", party, **browser.asked(code_challenge=None)), "invalid_request")
    refused(await _asked(home, "par", party, **browser.asked(redirect_uri="https://evil.test/")), "invalid_request")
    refused(await _asked(home, "par", party, **browser.asked(client_id="window")), "invalid_client", 401)
    refused(await _asked(home, "par", party, **browser.asked(), request_uri="urn:x"), "invalid_request")
    refused(await home.http.post("/oauth/par", data=browser.asked()), "invalid_client", 401)
    pushed = await _asked(home, "par", party, **browser.asked())
    await changed(home, "UPDATE authorization_requests SET expire_time = now()")
    reference = {"client_id": party.client_id, "request_uri": pushed.json()["request_uri"]}
    assert (await browser.get("/oauth/authorize", **reference)).status_code == 400


async def test_a_client_that_shows_its_id_token_signs_the_person_out(person: str, browser: Browser) -> None:
    tokens = await browser.signed_in(person)
    hint = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": GOODBYE, "state": "x y"}
    answer = await browser.get("/oauth/end-session", **hint)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{GOODBYE}?state=x+y")
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")
    assert "/oauth/sign-in" in (await browser.begin()).text


async def test_who_is_sent_to_sign_out_without_proof_is_asked(person: str, browser: Browser) -> None:
    await browser.signed_in(person)
    page = await browser.get("/oauth/end-session", client_id="window", post_logout_redirect_uri="https://evil.test/")
    assert page.status_code == 200
    assert 'name="confirmed"' in page.text
    assert "code" in told(await browser.begin()), "still signed in"
    done = await browser.post("/oauth/end-session", post_logout_redirect_uri="https://evil.test/", confirmed="1")
    assert (done.status_code, "location" in done.headers) == (200, False)
    assert "/oauth/sign-in" in (await browser.begin()).text
