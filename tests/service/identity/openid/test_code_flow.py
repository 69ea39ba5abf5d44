"""The code flow over real HTTP: what a client gets for a person who signs in, and every way in which it gets nothing."""

import base64
import hashlib

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support.client_keys import Machine
from tests.support.signing_in import REDIRECT, Browser, Opened, changed, refused, relying_party, told
from tests.support.town import Town
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_client_gets_tokens_for_who_signed_in(
    home: Town, party: Machine, person: str, browser: Browser
) -> None:
    tokens = await browser.signed_in(person)
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid profile offline_access")
    keys = KeySet.import_key_set((await home.http.get("/.well-known/jwks.json")).json())
    said = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"])
    assert said.header["typ"] == "JWT"
    claims = said.claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (home.base, person, party.client_id)
    assert (claims["nonce"], claims["acr"], claims["amr"]) == ("n-0S6_WzA2Mj", "2", ["pwd"])
    assert claims["exp"] - claims["iat"] == 600
    assert 0 <= claims["iat"] - claims["auth_time"] < 60
    half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(half).decode().rstrip("=")
    actor = await home.verifier().verify(tokens["access_token"])
    assert (actor.subject, actor.kind, actor.client, actor.assurance) == (person, "PERSON", party.client_id, 2)
    assert f"sessions/{claims['sid']}" in actor.parties


async def test_the_answer_names_who_gave_it_and_what_was_asked(home: Town, person: str, browser: Browser) -> None:
    await browser.begin(prompt="consent")
    await browser.sign_in(person)
    said = told(await browser.submit("/oauth/consent", decision="allow"))
    assert (said["state"], said["iss"]) == ("wie-gehts", home.base)


async def test_who_is_signed_in_is_not_asked_again_until_the_client_wants_it(person: str, browser: Browser) -> None:
    await browser.code(person)
    assert "code" in told(await browser.begin())
    assert "code" in told(await browser.begin(prompt="none"))
    for wish in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}):
        assert "/oauth/sign-in" in (await browser.begin(**wish)).text
    assert "/oauth/consent" in (await browser.begin(prompt="consent")).text


async def test_what_was_agreed_to_is_asked_again_when_it_grows(home: Town, person: str, opened: Opened) -> None:
    party = await relying_party(home, resources_pb2.CLIENT_KIND_PARTNER, "license.licenses.list")
    browser = opened(party)
    await browser.code(person, scope="openid")
    assert "code" in told(await browser.begin(scope="openid"))
    page = await browser.begin(scope="openid license.licenses.list")
    assert "license.licenses.list" in page.text
    assert "/oauth/consent" in page.text


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"prompt": "none"}, "login_required"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "openid cases.cases.decide"}, "invalid_scope"),
        ({"scope": "openid license.licenses.list"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_wrong_wish_is_told_to_its_client(
    home: Town, browser: Browser, wish: dict[str, str | None], error: str
) -> None:
    said = told(await browser.begin(**wish))
    assert (said["error"], said["state"], said["iss"]) == (error, "wie-gehts", home.base)
    assert "code" not in said


@pytest.mark.parametrize(
    "wish",
    [
        {"redirect_uri": "https://evil.test/"},
        {"redirect_uri": f"{REDIRECT}&more=1"},
        {"redirect_uri": REDIRECT.upper()},
        {"redirect_uri": None},
        {"client_id": "nobody"},
        {"client_id": None},
        {"client_id": "administrator"},
        {"request": "eyJhbGciOiJub25lIn0.e30."},
        {"request_uri": "urn:ietf:params:oauth:request_uri:guessed"},
        {"request_uri": "https://evil.test/request"},
    ],
    ids=str,
)
async def test_nobody_is_sent_where_nothing_was_registered(browser: Browser, wish: dict[str, str | None]) -> None:
    answer = await browser.begin(**wish)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_parameter_that_stands_twice_is_refused(browser: Browser) -> None:
    query = "&".join(f"{name}={value}" for name, value in browser.asked().items())
    answer = await browser.get(f"/oauth/authorize?{query}&state=other".replace(" ", "+"))
    assert answer.status_code == 400


async def test_a_code_is_good_once_and_then_nothing_that_it_gave_is(home: Town, person: str, browser: Browser) -> None:
    code = await browser.code(person)
    tokens = (await browser.tokens(code)).json()
    refused(await browser.tokens(code), "invalid_grant")
    refused(await browser.refresh(tokens["refresh_token"]), "invalid_grant")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "x" * 64}, "invalid_grant"),
        ({"redirect_uri": "https://evil.test/"}, "invalid_grant"),
        ({"redirect_uri": ""}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_code_is_no_good_to_who_intercepted_it(
    person: str, browser: Browser, change: dict[str, str], error: str
) -> None:
    code = await browser.code(person)
    refused(await browser.tokens(code, **change), error)
    assert (await browser.tokens(code)).status_code == 200, "who only guessed has used nothing up"


async def test_a_code_is_no_good_to_another_client(home: Town, person: str, browser: Browser, opened: Opened) -> None:
    thief = opened(await relying_party(home))
    thief.verifier = browser.verifier
    code = await browser.code(person)
    refused(await thief.tokens(code), "invalid_grant")
    assert (await browser.tokens(code)).status_code == 200


async def test_a_code_is_over_after_a_minute(home: Town, person: str, browser: Browser) -> None:
    code = await browser.code(person)
    await changed(home, f"UPDATE sign_in_grants SET code_expire_time = now() WHERE person = '{person}'")
    refused(await browser.tokens(code), "invalid_grant")


async def test_a_ticket_is_of_its_browser_alone(
    home: Town, party: Machine, person: str, browser: Browser, opened: Opened
) -> None:
    page, other = await browser.begin(), opened(party)
    await other.begin()
    other.page = page
    answer = await other.sign_in(person)
    assert (answer.status_code, "location" in answer.headers) == (400, False)


async def test_who_refuses_or_cancels_is_sent_back_without_a_code(person: str, browser: Browser) -> None:
    await browser.begin(prompt="login")
    assert told(await browser.submit("/oauth/sign-in", cancel="1"))["error"] == "access_denied"
    await browser.begin(prompt="consent login")
    await browser.sign_in(person)
    refused = await browser.submit("/oauth/consent", decision="refuse")
    assert told(refused)["error"] == "access_denied"
    again = await browser.submit("/oauth/consent", decision="allow")
    assert again.status_code == 400, "what was refused can't be agreed to behind the person's back"


async def test_a_level_that_a_password_does_not_reach_is_told(person: str, browser: Browser) -> None:
    assert "/oauth/sign-in" in (await browser.begin(acr_values="3")).text
    assert told(await browser.sign_in(person))["error"] == "unmet_authentication_requirements"
    assert "/oauth/sign-in" not in (await browser.begin(acr_values="2")).text


async def test_the_channels_of_the_region_are_agreed_to_already_and_get_what_people_may(
    home: Town, person: str, opened: Opened
) -> None:
    channel = home.channel
    await changed(home, f"UPDATE clients SET redirect_uris = ARRAY['{REDIRECT}'] WHERE id = '{channel.client_id}'")
    browser = opened(channel)
    await browser.begin(scope="openid")
    tokens = (await browser.tokens(told(await browser.sign_in(person))["code"])).json()
    actor = await home.verifier().verify(tokens["access_token"])
    assert actor.may("identity.sessions.list")
    assert not actor.may("cases.cases.decide")
    assert "refresh_token" not in tokens


async def test_a_partner_gets_of_a_persons_rights_what_is_its_own_too(home: Town, person: str, opened: Opened) -> None:
    party = await relying_party(
        home, resources_pb2.CLIENT_KIND_PARTNER, "license.licenses.list", "identity.clients.create"
    )
    browser = opened(party)
    said = told(await browser.begin(scope="openid identity.clients.create"))
    assert said["error"] == "invalid_scope", "its own right, but no person's"
    tokens = await browser.signed_in(person, scope="openid license.licenses.list")
    actor = await home.verifier().verify(tokens["access_token"])
    assert actor.scopes == {"openid", "license.licenses.list"}


async def test_a_client_that_is_suspended_gets_nothing_for_a_code(home: Town, person: str, opened: Opened) -> None:
    party = await relying_party(home)
    browser = opened(party)
    code = await browser.code(person)
    await changed(home, f"UPDATE clients SET state = 'SUSPENDED' WHERE id = '{party.client_id}'")
    answer = await browser.tokens(code)
    assert answer.status_code == 401
    assert (await browser.begin()).status_code == 400
