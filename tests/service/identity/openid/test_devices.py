"""Signing in at a device without a keyboard, over real HTTP: who agrees knows to what, and a device gets its tokens once."""

import re

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.support import sql
from tests.support.client_keys import Machine
from tests.support.devices import NAME, codes_of, device_asks, kiosk, poll
from tests.support.recorded import records_of
from tests.support.signing_in import PASSWORD, Browser, Opened, changed, enrolled, refused, relying_party
from tests.support.town import Town
from tongban.identity.v1 import resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def device(home: Town) -> Machine:
    """A client to which people sign in at devices."""
    return await kiosk(home)


async def _typed(browser: Browser, code: str, **headers: str) -> httpx.Response:
    """Types what a device shows."""
    browser.page = await browser.post("/oauth/device", user_code=code)
    return browser.page


async def _at_consent(browser: Browser, person: str, code: str) -> httpx.Response:
    page = await _typed(browser, code)
    if "/oauth/sign-in" in page.text:
        page = await browser.sign_in(person)
    assert "/oauth/consent" in page.text, page.text
    return page


async def _allowed(browser: Browser, person: str, code: str) -> None:
    await _at_consent(browser, person, code)
    answer = await browser.submit("/oauth/consent", decision="allow")
    assert (answer.status_code, answer.headers["location"]) == (303, "/oauth/device/allowed")
    assert "已允许" in (await browser.get("/oauth/device/allowed")).text


async def _later(home: Town, interval: str) -> None:
    await changed(home, f"UPDATE device_authorizations SET poll_time = poll_time - interval '{interval}'")


async def test_a_device_gets_tokens_for_who_agreed(home: Town, device: Machine, person: str, browser: Browser) -> None:
    codes = await codes_of(home, device)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])
    assert codes["verification_uri"] == f"{home.base}/oauth/device"
    assert codes["verification_uri_complete"] == f"{home.base}/oauth/device?user_code={codes['user_code']}"
    assert (codes["expires_in"], codes["interval"]) == (600, 5)
    refused(await poll(home, device, codes["device_code"]), "authorization_pending")
    await _allowed(browser, person, codes["user_code"].lower().replace("-", " "))
    answer = await poll(home, device, codes["device_code"])
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert (tokens["token_type"], tokens["scope"]) == ("Bearer", "openid profile offline_access")
    keys = KeySet.import_key_set((await home.http.get("/.well-known/jwks.json")).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["sub"], claims["aud"], claims["acr"], claims["amr"]) == (person, device.client_id, "2", ["pwd"])
    actor = await home.verifier().verify(tokens["access_token"])
    assert (actor.subject, actor.client, f"sessions/{claims['sid']}" in actor.parties) == (
        person,
        device.client_id,
        True,
    )
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    again = await home.post(**form, **home.client_form(device))
    assert again.status_code == 200, again.text
    assert [each.result for each in await records_of(home.service.process, "oauth.device-code")] == ["OK"]


async def test_discovery_tells_of_it(home: Town) -> None:
    document = (await home.http.get("/.well-known/openid-configuration")).json()
    assert document["device_authorization_endpoint"] == f"{home.base}/oauth/device_authorization"
    assert "urn:ietf:params:oauth:grant-type:device_code" in document["grant_types_supported"]


async def test_who_agrees_is_told_which_device_asks_whenever_one_does(
    home: Town, device: Machine, person: str, browser: Browser
) -> None:
    codes = await codes_of(home, device)
    page = await browser.get("/oauth/device", user_code=codes["user_code"])
    assert f'value="{codes["user_code"]}"' in page.text
    page = await _typed(browser, codes["user_code"])
    assert NAME in page.text, "before they type a password"
    page = await browser.sign_in(person)
    assert all(each in page.text for each in (NAME, "自助办事", "198.51.100.77", "读取您的姓名"))
    await browser.submit("/oauth/consent", decision="allow")
    # Who is signed in, and agreed to the very same before, is asked again: each device is another one.
    assert NAME in (await _at_consent(browser, person, (await codes_of(home, device))["user_code"])).text


async def test_a_channel_is_agreed_to_at_devices_too(home: Town, person: str, opened: Opened) -> None:
    channel = home.channel
    await changed(home, f"UPDATE clients SET device_sign_in = true WHERE id = '{channel.client_id}'")
    browser = opened(channel)
    codes = await codes_of(home, channel, scope="openid")
    await _allowed(browser, person, codes["user_code"])
    assert (await poll(home, channel, codes["device_code"])).status_code == 200


async def test_a_device_that_asks_too_soon_has_to_wait_longer_each_time(home: Town, device: Machine) -> None:
    code = (await codes_of(home, device))["device_code"]
    refused(await poll(home, device, code), "authorization_pending")
    refused(await poll(home, device, code), "slow_down")
    await _later(home, "9 seconds")
    refused(await poll(home, device, code), "slow_down")
    await _later(home, "15 seconds")
    refused(await poll(home, device, code), "authorization_pending")


async def test_who_refuses_or_cancels_gives_nothing(home: Town, device: Machine, person: str, opened: Opened) -> None:
    for decide in ({"decision": "refuse"}, {}):
        browser, codes = opened(device), await codes_of(home, device)
        if decide:
            await _at_consent(browser, person, codes["user_code"])
            answer = await browser.submit("/oauth/consent", **decide)
        else:
            await _typed(browser, codes["user_code"])
            answer = await browser.submit("/oauth/sign-in", cancel="1")
        assert answer.headers["location"] == "/oauth/device/refused"
        refused(await poll(home, device, codes["device_code"]), "access_denied")
        assert (await browser.submit("/oauth/consent", decision="allow")).status_code == 400
        refused(await poll(home, device, codes["device_code"]), "access_denied")


async def test_a_level_that_a_password_does_not_reach_is_told_to_the_person(
    home: Town, device: Machine, person: str, browser: Browser
) -> None:
    codes = await codes_of(home, device, acr_values="3")
    await _typed(browser, codes["user_code"])
    answer = await browser.sign_in(person)
    assert (answer.status_code, answer.headers["location"]) == (303, "/oauth/device/unmet")
    refused(await poll(home, device, codes["device_code"]), "access_denied")


async def test_codes_are_over_after_ten_minutes(home: Town, device: Machine, person: str, browser: Browser) -> None:
    codes = await codes_of(home, device)
    await _at_consent(browser, person, codes["user_code"])
    await changed(home, "UPDATE device_authorizations SET expire_time = now()")
    assert (await browser.submit("/oauth/consent", decision="allow")).status_code == 400
    assert (await _typed(browser, codes["user_code"])).status_code == 400
    refused(await poll(home, device, codes["device_code"]), "expired_token")


async def test_a_device_code_is_good_once_and_then_nothing_that_it_gave_is(
    home: Town, device: Machine, person: str, browser: Browser
) -> None:
    codes = await codes_of(home, device)
    await _allowed(browser, person, codes["user_code"])
    tokens = (await poll(home, device, codes["device_code"])).json()
    assert (await browser.post("/oauth/device", user_code=codes["user_code"])).status_code == 400
    refused(await poll(home, device, codes["device_code"]), "invalid_grant")
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    refused(await home.post(**form, **home.client_form(device)), "invalid_grant")


async def test_a_device_code_is_no_good_to_another_client_nor_as_another_code(
    home: Town, device: Machine, person: str, browser: Browser
) -> None:
    codes = await codes_of(home, device)
    await _allowed(browser, person, codes["user_code"])
    refused(await poll(home, await kiosk(home), codes["device_code"]), "invalid_grant")
    refused(await poll(home, device, codes["user_code"]), "invalid_grant")
    form = {"grant_type": "authorization_code", "code": codes["device_code"], "code_verifier": "x" * 64}
    refused(await home.post(**form, **home.client_form(device)), "invalid_grant")
    assert (await poll(home, device, codes["device_code"])).status_code == 200


async def test_a_session_that_ended_between_gives_nothing(
    home: Town, device: Machine, person: str, browser: Browser
) -> None:
    codes = await codes_of(home, device)
    await _allowed(browser, person, codes["user_code"])
    await changed(home, f"UPDATE sessions SET state = 'ENDED' WHERE person = '{person}'")
    refused(await poll(home, device, codes["device_code"]), "invalid_grant")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"scope": ""}, "invalid_request"),
        ({"scope": "openid cases.cases.decide"}, "invalid_scope"),
        ({"scope": "openid license.licenses.list"}, "invalid_scope"),
        ({"device_name": "x" * 101}, "invalid_request"),
        ({"device_name": "3号机\n请输入密码"}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_wrong_wish_is_refused(home: Town, device: Machine, change: dict[str, str], error: str) -> None:
    refused(await device_asks(home, device, **change), error)


async def test_only_clients_for_devices_ask_so_and_prove_who_they_are(home: Town, party: Machine) -> None:
    refused(await device_asks(home, party), "unauthorized_client")
    answer = await home.http.post("/oauth/device_authorization", data={"scope": "openid", "client_id": "x"})
    refused(answer, "invalid_client", 401)
    refused(await poll(home, party, "x"), "invalid_grant")


async def test_a_browser_can_not_be_sent_to_a_device_by_an_address(
    home: Town, device: Machine, person: str, browser: Browser, party: Machine
) -> None:
    codes = await codes_of(home, device)
    async with home.service.process.database.read() as connection:
        (identifier,) = await sql.scalars(
            connection, "SELECT id FROM device_authorizations ORDER BY create_time DESC LIMIT 1"
        )
    await browser.code(person, device=str(identifier))
    refused(await poll(home, device, codes["device_code"]), "authorization_pending")


async def test_a_client_that_is_suspended_meanwhile_gets_nothing(home: Town, person: str, opened: Opened) -> None:
    machine = await kiosk(home)
    browser, codes = opened(machine), await codes_of(home, machine)
    await _at_consent(browser, person, codes["user_code"])
    await changed(home, f"UPDATE clients SET state = 'SUSPENDED' WHERE id = '{machine.client_id}'")
    assert (await browser.submit("/oauth/consent", decision="allow")).status_code == 400
    assert (await poll(home, machine, codes["device_code"])).status_code == 401


async def test_a_partner_gets_of_a_persons_rights_what_is_its_own_too(home: Town, person: str, opened: Opened) -> None:
    machine = await kiosk(home, resources_pb2.CLIENT_KIND_PARTNER, "license.licenses.list")
    browser, codes = opened(machine), await codes_of(home, machine, scope="openid license.licenses.list")
    await _allowed(browser, person, codes["user_code"])
    tokens = (await poll(home, machine, codes["device_code"])).json()
    assert (await home.verifier().verify(tokens["access_token"])).scopes == {"openid", "license.licenses.list"}
    assert "refresh_token" not in tokens


async def test_codes_can_not_be_guessed_at_for_long(home: Town, device: Machine, browser: Browser) -> None:
    codes = await codes_of(home, device)
    await changed(home, "DELETE FROM sign_in_attempts")
    answers = [(await _typed(browser, "BBBB-BBBB")).status_code for _ in range(21)]
    assert answers == [400] * 20 + [429]
    assert (await _typed(browser, codes["user_code"])).status_code == 429, "the right one has to wait too"
    await changed(home, "UPDATE sign_in_attempts SET last_time = last_time - interval '30 seconds'")
    assert (await _typed(browser, codes["user_code"])).status_code == 200
    await changed(home, "DELETE FROM sign_in_attempts")
    for _ in range(21):
        assert (await _typed(browser, codes["user_code"])).status_code == 200, "what is right does not count"
    assert (await _typed(browser, "BBBB-BBBB")).status_code == 400


async def test_no_code_stands_anywhere(home: Town, device: Machine) -> None:
    codes = await codes_of(home, device)
    async with home.service.process.database.read() as connection:
        rows = [str(row) for row in await sql.execute(connection, "SELECT t::text FROM device_authorizations t")]
    bare = codes["user_code"].replace("-", "")
    for each in (codes["device_code"], codes["user_code"], bare, NAME, "198.51.100.77"):
        assert not any(each in row or each.encode().hex() in row for row in rows), each


async def test_who_has_no_session_signs_in_in_the_same_browser(home: Town, device: Machine, opened: Opened) -> None:
    person, browser, other = await enrolled(home), opened(device), opened(await relying_party(home))
    codes = await codes_of(home, device)
    page = await _typed(browser, codes["user_code"])
    stolen = await other.knocked(page, home.numbers[person], PASSWORD, {})
    assert stolen.status_code == 400, "a ticket is of the browser that typed the code"
    await _allowed(browser, person, codes["user_code"])
