"""Sign-ins whose tokens only their holder can use: by code, by refresh token, at devices, and what is asked of the tokens."""

from typing import Any

import httpx
import pytest

from tests.support.client_keys import Machine
from tests.support.devices import codes_of, kiosk
from tests.support.proof_keys import Holder, bound_grant
from tests.support.signing_in import REDIRECT, Browser, Opened, refused
from tests.support.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def holder() -> Holder:
    return Holder()


def _code_form(home: Town, party: Machine, browser: Browser, code: str) -> dict[str, str]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    return {**form, "code_verifier": browser.verifier, **home.client_form(party)}


async def _signed_in(home: Town, party: Machine, browser: Browser, person: str, holder: Holder) -> dict[str, Any]:
    code = await browser.code(person, dpop_jkt=holder.thumbprint)
    answer = await bound_grant(home, holder, **_code_form(home, party, browser, code))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["token_type"] == "DPoP"
    return found


def _refreshing(home: Town, party: Machine, token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token, **home.client_form(party)}


async def test_a_code_is_for_the_key_that_it_was_asked_with(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    code = await browser.code(person, dpop_jkt=holder.thumbprint)
    refused(await browser.tokens(code), "invalid_dpop_proof")
    refused(await bound_grant(home, Holder(), **_code_form(home, party, browser, code)), "invalid_dpop_proof")
    # Who has no key has not used it up.
    answer = await bound_grant(home, holder, **_code_form(home, party, browser, code))
    assert answer.json()["token_type"] == "DPoP"
    actor = await home.verifier().verify(answer.json()["access_token"])
    assert (actor.subject, actor.bound_key) == (person, holder.thumbprint)


async def test_a_pushed_request_binds_its_code_by_its_proof(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    async def pushed(**changes: str) -> httpx.Response:
        proof = holder.proof("POST", f"{home.base}/oauth/par")
        form = {**browser.asked(**changes), **home.client_form(party)}
        return await home.http.post("/oauth/par", data=form, headers={"dpop": proof})

    refused(await pushed(dpop_jkt=Holder().thumbprint), "invalid_dpop_proof")
    refused(await pushed(dpop_jkt="no thumbprint"), "invalid_dpop_proof")
    assert (await pushed(dpop_jkt=holder.thumbprint)).status_code == 201
    answer = await pushed()
    assert answer.status_code == 201, answer.text
    at = {"client_id": party.client_id, "request_uri": answer.json()["request_uri"]}
    page = await browser.get("/oauth/authorize", **at)
    browser.page = page
    if "/oauth/sign-in" in page.text:
        page = await browser.sign_in(person)
    page = await browser.submit("/oauth/consent", decision="allow") if page.status_code == 200 else page
    code = page.headers["location"].partition("code=")[2].partition("&")[0]
    refused(await bound_grant(home, Holder(), **_code_form(home, party, browser, code)), "invalid_dpop_proof")
    got = await bound_grant(home, holder, **_code_form(home, party, browser, code))
    assert (got.status_code, got.json()["token_type"]) == (200, "DPoP"), got.text


async def test_what_is_no_thumbprint_is_refused_where_it_is_asked(home: Town, party: Machine, browser: Browser) -> None:
    form = {**browser.asked(dpop_jkt="short"), **home.client_form(party)}
    refused(await home.http.post("/oauth/par", data=form), "invalid_request")


async def test_a_bound_sign_in_goes_on_with_proofs_alone(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    first = await _signed_in(home, party, browser, person, holder)
    refused(await browser.refresh(first["refresh_token"]), "invalid_dpop_proof")
    answer = await bound_grant(home, holder, **_refreshing(home, party, first["refresh_token"]))
    assert answer.json()["token_type"] == "DPoP", answer.text
    # Its client has proven who it is, and may have changed its key.
    newer = Holder()
    again = await bound_grant(home, newer, **_refreshing(home, party, answer.json()["refresh_token"]))
    assert (await home.verifier().verify(again.json()["access_token"])).bound_key == newer.thumbprint


async def test_one_that_began_with_bearer_s_tokens_can_be_bound_later(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    first = await browser.signed_in(person)
    assert first["token_type"] == "Bearer"
    answer = await bound_grant(home, holder, **_refreshing(home, party, first["refresh_token"]))
    assert answer.json()["token_type"] == "DPoP"


async def test_a_device_can_have_a_key(home: Town, person: str, opened: Opened, holder: Holder) -> None:
    device = await kiosk(home)
    codes, browser = await codes_of(home, device), opened(device)
    browser.page = await browser.post("/oauth/device", user_code=codes["user_code"])
    await browser.sign_in(person)
    await browser.submit("/oauth/consent", decision="allow")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": codes["device_code"]}
    answer = await bound_grant(home, holder, **form, **home.client_form(device))
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP"), answer.text
    refresh = _refreshing(home, device, answer.json()["refresh_token"])
    refused(await home.post(**refresh), "invalid_dpop_proof")


async def test_userinfo_asks_for_the_proof(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    token = (await _signed_in(home, party, browser, person, holder))["access_token"]
    uri = f"{home.base}/oauth/userinfo"
    answer = await home.http.get("/oauth/userinfo", headers=holder.shown("GET", uri, token))
    assert (answer.status_code, answer.json()["sub"]) == (200, person), answer.text
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"DPoP {token}"},
        holder.shown("POST", uri, token),
        Holder().shown("GET", uri, token),
    ):
        answer = await home.http.get("/oauth/userinfo", headers=headers)
        refused(answer, "invalid_dpop_proof", 401)
        assert answer.headers["www-authenticate"] == 'DPoP error="invalid_dpop_proof", algs="ES256 PS256"'


async def test_introspection_tells_to_which_key_a_token_is_bound(
    home: Town, party: Machine, person: str, browser: Browser, holder: Holder
) -> None:
    token = (await _signed_in(home, party, browser, person, holder))["access_token"]
    answer = await home.http.post("/oauth/introspect", data={"token": token, **home.client_form(party)})
    assert answer.json()["active"] is True
    assert (answer.json()["token_type"], answer.json()["cnf"]) == ("DPoP", {"jkt": holder.thumbprint})
