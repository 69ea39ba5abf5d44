"""One-time codes behind the password: who has set them is not signed in without, and each is good once."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pyotp
import pytest

from tests.support.signing_in import (
    PASSWORD,
    Browser,
    Opened,
    changed,
    enrolled,
    relying_party,
    sign_in_stub,
    told,
)
from tests.support.town import Town, request_id
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_SECRET = re.compile(r"<code>([A-Z2-7 ]+)</code>")
_CODE = pb.AUTHENTICATOR_KIND_ONE_TIME_CODE


async def _opened_page(home: Town, person: str, **claims: Any) -> tuple[str, str]:
    """Opens the page at which codes are set; returns its ticket, and the secret that it shows."""
    asked = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_CODE)
    token = await home.human_token(person, **claims)
    opened = await home.call(sign_in_stub(home).BeginEnrollment, asked, pb.Enrollment, token)
    ticket = opened.uri.partition("ticket=")[2]
    page = await home.http.get("/oauth/enroll", params={"ticket": ticket})
    assert "<svg" in page.text
    found = _SECRET.search(page.text)
    assert found, page.text
    return ticket, found[1].replace(" ", "")


def _code(secret: str, later: int = 0) -> str:
    """What the application shows now, or so many codes later."""
    return str(pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=later))


async def _with_codes(home: Town, **claims: Any) -> tuple[str, str]:
    """Somebody who has set a password and codes; and the secret of the codes."""
    person = await enrolled(home)
    ticket, secret = await _opened_page(home, person, **claims)
    answer = await home.http.post("/oauth/enroll", data={"ticket": ticket, "code": _code(secret)})
    assert answer.status_code == 200, answer.text
    await changed(home, "UPDATE authenticators SET used_step = 0")  # as if the next code was shown already
    return person, secret


async def _at_the_code(browser: Browser, person: str, **wishes: str) -> httpx.Response:
    await browser.begin(**wishes)
    page = await browser.sign_in(person)
    assert "/oauth/one-time-code" in page.text
    assert "tongban-session" not in page.headers.get("set-cookie", "")
    return page


async def test_a_code_behind_the_password_signs_in_at_level_three(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home)
    browser = opened(await relying_party(home))
    await _at_the_code(browser, person, acr_values="3")
    page = await browser.submit("/oauth/one-time-code", code=_code(secret))
    assert "/oauth/consent" in page.text
    tokens = (await browser.tokens(told(await browser.submit("/oauth/consent", decision="allow"))["code"])).json()
    actor = await home.verifier().verify(tokens["access_token"])
    assert actor.assurance == 3
    listed = pb.ListSessionsRequest(page_size=1)
    token = await home.human_token(person)
    (session,) = (await home.call(sign_in_stub(home).ListSessions, listed, pb.ListSessionsResponse, token)).sessions
    assert (list(session.methods), session.assurance) == (["pwd", "otp"], 3)


async def test_each_code_is_good_once_and_so_is_none_before_it(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home)
    browser, earlier, used = opened(await relying_party(home)), _code(secret), _code(secret, 1)
    await _at_the_code(browser, person)
    assert (await browser.submit("/oauth/one-time-code", code=used)).status_code == 200
    other = opened(await relying_party(home))
    await _at_the_code(other, person)
    for spent in (used, earlier):
        refused = await other.submit("/oauth/one-time-code", code=spent)
        assert (refused.status_code, "已经用过" in refused.text) == (400, True)


async def test_without_the_password_a_code_is_nothing(home: Town, opened: Opened) -> None:
    _, secret = await _with_codes(home)
    browser = opened(await relying_party(home))
    await browser.begin()
    answer = await browser.submit("/oauth/one-time-code", code=_code(secret))
    assert (answer.status_code, "/oauth/one-time-code" in answer.text) == (400, False)


async def test_the_code_comes_within_five_minutes_of_the_password(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home)
    browser = opened(await relying_party(home))
    await _at_the_code(browser, person)
    await changed(home, "UPDATE authorization_requests SET proven_time = proven_time - interval '5 minutes'")
    answer = await browser.submit("/oauth/one-time-code", code=_code(secret))
    assert (answer.status_code, "/oauth/one-time-code" in answer.text) == (400, False)


async def test_codes_are_guessed_five_times_and_then_later_and_later(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home)
    browser = opened(await relying_party(home))
    await _at_the_code(browser, person)
    right = {_code(secret, step) for step in range(-2, 3)}
    wrong = next(each for each in (f"{number:06}" for number in range(10)) if each not in right)
    codes = [(await browser.submit("/oauth/one-time-code", code=wrong)).status_code for _ in range(6)]
    assert codes == [400] * 5 + [429]
    assert (await browser.submit("/oauth/one-time-code", code=_code(secret))).status_code == 429


async def test_who_signs_in_often_is_not_held_back(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home)
    browser = opened(await relying_party(home))
    for _ in range(7):
        await _at_the_code(browser, person, prompt="login")
        await changed(home, "UPDATE authenticators SET used_step = 0")
        assert (await browser.submit("/oauth/one-time-code", code=_code(secret))).status_code in (200, 303)


async def test_what_was_set_at_a_lower_level_stands_for_no_more(home: Town, opened: Opened) -> None:
    person, secret = await _with_codes(home, acr="2")
    browser = opened(await relying_party(home))
    await _at_the_code(browser, person, acr_values="3")
    answer = await browser.submit("/oauth/one-time-code", code=_code(secret))
    assert told(answer)["error"] == "unmet_authentication_requirements"


async def test_they_are_set_by_the_first_right_code_and_taken_away_again(home: Town, opened: Opened) -> None:
    person = await enrolled(home)
    ticket, secret = await _opened_page(home, person)
    wrong = await home.http.post("/oauth/enroll", data={"ticket": ticket, "code": "abc"})
    assert (wrong.status_code, secret in wrong.text.replace(" ", "")) == (400, True)
    assert (await home.http.post("/oauth/enroll", data={"ticket": ticket, "code": _code(secret)})).status_code == 200
    again = await home.http.post("/oauth/enroll", data={"ticket": ticket, "code": _code(secret)})
    assert again.status_code == 400
    token, stub = await home.human_token(person), sign_in_stub(home)
    asked = pb.ListAuthenticatorsRequest(filter="kind = AUTHENTICATOR_KIND_ONE_TIME_CODE")
    (held,) = (await home.call(stub.ListAuthenticators, asked, pb.ListAuthenticatorsResponse, token)).authenticators
    remove = pb.RemoveAuthenticatorRequest(name=held.name, request_id=request_id())
    await home.call(stub.RemoveAuthenticator, remove, pb.Authenticator, token)
    browser = opened(await relying_party(home))
    await browser.begin()
    assert "/oauth/consent" in (await browser.sign_in(person)).text


async def test_a_page_for_one_takes_nothing_of_the_other(home: Town) -> None:
    person = await enrolled(home)
    ticket, _ = await _opened_page(home, person)
    answer = await home.http.post("/oauth/enroll", data={"ticket": ticket, "password": PASSWORD, "again": PASSWORD})
    assert answer.status_code == 400
    page = await home.http.get("/oauth/enroll", params={"ticket": ticket})
    assert page.status_code == 200, "the page is still open"
