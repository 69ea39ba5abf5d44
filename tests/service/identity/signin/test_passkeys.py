"""Passkeys: set at a page of ours, shown at the next sign-in, and refused wherever anything is not as it was asked for."""

import html
import json
import re
from typing import Any

import httpx
import pytest

from libs.db.schema import outbox
from libs.errors import FailedPrecondition
from services.identity.signin.rules import MOST_PASSKEYS
from tests.support import sql
from tests.support.recorded import records_of
from tests.support.signing_in import Browser, Opened, changed, enrolled, relying_party, sign_in_stub, told
from tests.support.soft_passkeys import IS_KEPT, MAY_BE_KEPT, USER_PRESENT, USER_VERIFIED, SoftPasskey
from tests.support.town import Town, reason_of, request_id
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_OPTIONS = re.compile(r'data-options="([^"]+)"')
_PASSKEY = pb.AUTHENTICATOR_KIND_PASSKEY
_KEPT = USER_PRESENT | USER_VERIFIED | MAY_BE_KEPT | IS_KEPT


async def _asked(home: Town, person: str, **claims: Any) -> str:
    """Opens the page at which a passkey is added; returns its ticket."""
    request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_PASSKEY)
    token = await home.human_token(person, **claims)
    opened = await home.call(sign_in_stub(home).BeginEnrollment, request, pb.Enrollment, token)
    return opened.uri.partition("ticket=")[2]


async def _options(home: Town, ticket: str) -> dict[str, Any]:
    page = await home.http.get("/oauth/enroll", params={"ticket": ticket})
    found = _OPTIONS.search(page.text)
    assert found, page.text
    options: dict[str, Any] = json.loads(html.unescape(found[1]))
    return options


async def _sent(home: Town, ticket: str, credential: str, name: str = "我的手机") -> httpx.Response:
    return await home.http.post("/oauth/enroll", data={"ticket": ticket, "credential": credential, "name": name})


async def _added(home: Town, person: str, name: str = "我的手机", **claims: Any) -> SoftPasskey:
    """Adds a passkey to an account."""
    terms = {each: claims.pop(each) for each in ("flags", "counter") if each in claims}
    passkey, ticket = SoftPasskey(home.base, **terms), await _asked(home, person, **claims)
    answer = await _sent(home, ticket, passkey.made(await _options(home, ticket)), name)
    assert answer.status_code == 200, answer.text
    return passkey


async def _challenged(browser: Browser) -> dict[str, Any]:
    answer = await browser.submit_beside("/oauth/passkey-challenge")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    options: dict[str, Any] = answer.json()
    return options


async def _shown(browser: Browser, passkey: SoftPasskey, **client: Any) -> httpx.Response:
    """Shows a passkey at the page at which one signs in."""
    return await browser.submit("/oauth/passkey", credential=passkey.shown(await _challenged(browser), **client))


async def _held(home: Town, person: str) -> list[pb.Authenticator]:
    asked, token = (
        pb.ListAuthenticatorsRequest(filter="kind = AUTHENTICATOR_KIND_PASSKEY"),
        await home.human_token(person),
    )
    answer = await home.call(sign_in_stub(home).ListAuthenticators, asked, pb.ListAuthenticatorsResponse, token)
    return list(answer.authenticators)


def _is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == 400 and "/oauth/sign-in" in answer.text and "set-cookie" not in answer.headers


@pytest.mark.parametrize(("flags", "key"), [(USER_PRESENT | USER_VERIFIED, "hwk"), (_KEPT, "swk")])
async def test_a_passkey_signs_in_at_level_three_without_a_password(
    home: Town, opened: Opened, flags: int, key: str
) -> None:
    person = await home.person()
    passkey, browser = await _added(home, person, flags=flags), opened(await relying_party(home))
    await browser.begin(acr_values="3")
    page = await _shown(browser, passkey)
    assert "/oauth/consent" in page.text
    answer = await browser.tokens(told(await browser.submit("/oauth/consent", decision="allow"))["code"])
    actor = await home.verifier().verify(answer.json()["access_token"])
    assert (actor.person, actor.assurance) == (person, 3)
    token = await home.human_token(person)
    listed = pb.ListSessionsRequest(page_size=1)
    (session,) = (await home.call(sign_in_stub(home).ListSessions, listed, pb.ListSessionsResponse, token)).sessions
    assert (list(session.methods), session.assurance) == ([key, "user", "mfa"], 3)
    (held,) = await _held(home, person)
    assert (held.display_name, held.last_use_time.seconds > 0) == ("我的手机", True)


async def test_what_was_set_at_a_lower_level_stands_for_no_more(home: Town, opened: Opened) -> None:
    passkey, browser = await _added(home, await home.person(), acr="2"), opened(await relying_party(home))
    await browser.begin(acr_values="3")
    assert told(await _shown(browser, passkey))["error"] == "unmet_authentication_requirements"


async def test_a_person_has_several_beside_their_password_and_takes_one_away(home: Town, opened: Opened) -> None:
    person = await enrolled(home)
    first, second = await _added(home, person, "a"), await _added(home, person, "b")
    held = await _held(home, person)
    assert [(each.display_name, each.state) for each in held] == [
        ("b", pb.AUTHENTICATOR_STATE_ACTIVE),
        ("a", pb.AUTHENTICATOR_STATE_ACTIVE),
    ]
    remove = pb.RemoveAuthenticatorRequest(name=held[1].name, etag=held[1].etag, request_id=request_id())
    token = await home.human_token(person)
    gone = await home.call(sign_in_stub(home).RemoveAuthenticator, remove, pb.Authenticator, token)
    assert (gone.state, gone.display_name) == (pb.AUTHENTICATOR_STATE_REMOVED, "a")
    browser = opened(await relying_party(home))
    await browser.begin()
    assert _is_refused(await _shown(browser, first))
    assert (await _shown(browser, second)).status_code == 200
    await browser.begin(prompt="login")
    assert (await browser.sign_in(person)).status_code in (200, 303), "the password is there beside it"


async def test_the_page_asks_for_none_that_one_has_and_for_a_device_that_sees_its_user(home: Town) -> None:
    person = await home.person()
    passkey = await _added(home, person)
    ticket = await _asked(home, person)
    options = await _options(home, ticket)
    assert [each["id"] for each in options["excludeCredentials"]] == [json.loads(passkey.made(options))["id"]]
    assert options["rp"]["id"] == "gateway.test"
    selection = options["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    assert person.partition("/")[2] not in json.dumps(options), "only its bytes"
    again = await _sent(home, ticket, passkey.made(options))
    assert again.status_code == 400
    other = await home.person()
    ticket = await _asked(home, other)
    taken = await _sent(home, ticket, passkey.made(await _options(home, ticket)))
    assert (taken.status_code, await _held(home, other)) == (400, []), "a passkey has one owner"


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://gateway.test.evil.test"},
        {"type": "webauthn.get"},
        {"challenge": "AAAA"},
    ],
)
async def test_what_was_not_made_for_this_page_is_not_added(home: Town, lie: dict[str, str]) -> None:
    person = await home.person()
    ticket = await _asked(home, person)
    options = await _options(home, ticket)
    assert (await _sent(home, ticket, SoftPasskey(home.base).made(options, **lie))).status_code == 400
    other = SoftPasskey(home.base, rp_id="evil.test")
    assert (await _sent(home, ticket, other.made(options))).status_code == 400
    unseen = SoftPasskey(home.base, flags=USER_PRESENT)
    assert (await _sent(home, ticket, unseen.made(options))).status_code == 400
    for garbage in ("", "{}", "[" * 20_000, '{"id":"a","rawId":"a","type":"public-key","response":{}}'):
        assert (await _sent(home, ticket, garbage)).status_code == 400
    assert await _held(home, person) == []
    right = SoftPasskey(home.base).made(options)
    assert (await _sent(home, ticket, right)).status_code == 200, "the page is still open"
    assert (await _sent(home, ticket, right)).status_code == 400, "and good once"


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://gateway.test.evil.test"},
        {"type": "webauthn.create"},
        {"challenge": "AAAA"},
    ],
)
async def test_what_was_not_signed_for_this_page_lets_nobody_in(
    home: Town, opened: Opened, lie: dict[str, str]
) -> None:
    person = await home.person()
    passkey, browser = await _added(home, person), opened(await relying_party(home))
    await browser.begin()
    assert _is_refused(await _shown(browser, passkey, **lie))
    (record,) = (await records_of(home.service.process, "signin.passkey"))[-1:]
    assert (record.object, record.result) == (person, "SIGN_IN_REFUSED")


async def test_another_key_another_owner_another_region_and_an_unseen_user_are_refused(
    home: Town, opened: Opened
) -> None:
    person, other = await home.person(), await home.person()
    passkey, others = await _added(home, person), await _added(home, other)
    browser = opened(await relying_party(home))
    await browser.begin()
    forged = SoftPasskey(home.base, id=passkey.id, user=passkey.user, rp_id=passkey.rp_id)
    assert _is_refused(await _shown(browser, forged))
    passkey.user, owner = others.user, passkey.user
    assert _is_refused(await _shown(browser, passkey))
    passkey.user, passkey.rp_id = owner, "evil.test"
    assert _is_refused(await _shown(browser, passkey))
    passkey.rp_id, passkey.flags = others.rp_id, USER_PRESENT
    assert _is_refused(await _shown(browser, passkey))
    for garbage in ("", "{}", "[" * 20_000):
        await _challenged(browser)
        assert _is_refused(await browser.submit("/oauth/passkey", credential=garbage))
    passkey.flags |= USER_VERIFIED
    assert (await _shown(browser, passkey)).status_code == 200


async def test_what_is_to_be_signed_is_good_once_and_for_five_minutes(home: Town, opened: Opened) -> None:
    passkey, browser = await _added(home, await home.person()), opened(await relying_party(home))
    await browser.begin()
    assert _is_refused(await browser.submit("/oauth/passkey", credential=passkey.shown({"challenge": ""})))
    options = await _challenged(browser)
    assert _is_refused(await browser.submit("/oauth/passkey", credential="{}"))
    assert _is_refused(await browser.submit("/oauth/passkey", credential=passkey.shown(options))), "it was used up"
    first = await _challenged(browser)
    await _challenged(browser)
    assert _is_refused(await browser.submit("/oauth/passkey", credential=passkey.shown(first))), "the last one counts"
    options = await _challenged(browser)
    await changed(home, "UPDATE authorization_requests SET challenge_time = challenge_time - interval '5 minutes'")
    assert _is_refused(await browser.submit("/oauth/passkey", credential=passkey.shown(options)))
    options = await _challenged(browser)
    await changed(home, "UPDATE authorization_requests SET challenge_time = challenge_time - interval '4 minutes'")
    assert (await browser.submit("/oauth/passkey", credential=passkey.shown(options))).status_code == 200


async def test_a_challenge_is_of_the_browser_that_asked(home: Town, opened: Opened) -> None:
    passkey, party = await _added(home, await home.person()), await relying_party(home)
    victim, thief = opened(party), opened(party)
    await victim.begin()
    await thief.begin()
    options = await _challenged(thief)
    assert _is_refused(await victim.submit("/oauth/passkey", credential=passkey.shown(options)))
    thief.page = victim.page
    assert (await thief.submit_beside("/oauth/passkey-challenge")).status_code == 400


async def test_of_a_copied_passkey_neither_is_taken_any_more_and_it_is_told(home: Town, opened: Opened) -> None:
    person = await home.person()
    passkey, browser = await _added(home, person, counter=5), opened(await relying_party(home))
    await browser.begin()
    assert (await _shown(browser, passkey)).status_code == 200
    copy = SoftPasskey(**{**vars(passkey), "counter": 5})
    await browser.begin(prompt="login")
    assert _is_refused(await _shown(browser, copy))
    (held,) = await _held(home, person)
    assert held.state == pb.AUTHENTICATOR_STATE_COMPROMISED
    (record,) = (await records_of(home.service.process, "signin.passkey"))[-1:]
    assert (record.object, record.result) == (held.name, "AUTHENTICATOR_COMPROMISED")
    async with home.service.process.database.read() as connection:
        rows = await sql.execute(connection, outbox.select().where(outbox.c.subject == held.name))
    assert "cn.tongban.identity.authenticator.compromised.v1" in {row.type for row in rows}
    assert _is_refused(await _shown(browser, passkey))
    remove = pb.RemoveAuthenticatorRequest(name=held.name, request_id=request_id())
    call = home.call(sign_in_stub(home).RemoveAuthenticator, remove, pb.Authenticator, await home.human_token(person))
    assert await reason_of(call) == "STATE_CONFLICT"


async def test_one_that_never_counts_is_taken_again_and_again(home: Town, opened: Opened) -> None:
    passkey, browser = await _added(home, await home.person(), counter=None), opened(await relying_party(home))
    for _ in range(3):
        await browser.begin(prompt="login")
        assert (await _shown(browser, passkey)).status_code in (200, 303)


async def test_an_address_fills_no_log_with_failures_and_what_succeeds_does_not_count(
    home: Town, opened: Opened
) -> None:
    passkey, browser = await _added(home, await home.person()), opened(await relying_party(home))
    await changed(home, "DELETE FROM sign_in_attempts")
    for _ in range(2):
        await browser.begin(prompt="login")
        assert (await _shown(browser, passkey)).status_code in (200, 303)
    async with home.service.process.database.read() as connection:
        counts = await sql.execute(connection, "SELECT failures FROM sign_in_attempts")
    assert [row.failures for row in counts] == [0]
    await changed(home, "UPDATE sign_in_attempts SET failures = 99, last_time = now()")
    await browser.begin(prompt="login")
    assert (await browser.submit("/oauth/passkey", credential="{}")).status_code == 400
    records = len(await records_of(home.service.process, "signin.passkey"))
    assert (await _shown(browser, passkey)).status_code == 429
    assert len(await records_of(home.service.process, "signin.passkey")) == records
    await changed(home, "DELETE FROM sign_in_attempts")


async def test_a_closed_account_is_not_signed_in_to(home: Town, opened: Opened) -> None:
    person = await home.person()
    passkey, browser = await _added(home, person), opened(await relying_party(home))
    await browser.begin()
    await changed(home, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{person.partition('/')[2]}'")
    answer = await _shown(browser, passkey)
    assert (answer.status_code, "set-cookie" in answer.headers) == (400, False)


async def test_nobody_has_more_than_twenty(home: Town) -> None:
    person = await home.person()
    await _added(home, person)
    await changed(
        home,
        "INSERT INTO authenticators (id, person, kind, verifier, assurance, state, credential, create_time, update_time) "
        "SELECT gen_random_uuid(), person, kind, verifier, assurance, state, credential || decode(to_hex(n + 16), 'hex'), "
        f"create_time, update_time FROM authenticators, generate_series(2, {MOST_PASSKEYS}) AS n "
        f"WHERE person = '{person}'",
    )
    request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_PASSKEY)
    token, begin = await home.human_token(person), sign_in_stub(home).BeginEnrollment
    with pytest.raises(FailedPrecondition) as refused:
        await home.call(begin, request, pb.Enrollment, token)
    assert (refused.value.reason, refused.value.metadata["limit"]) == ("PASSKEY_LIMIT_REACHED", "20")


async def test_a_region_without_a_name_offers_none(home: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.identity.signin.api.relying_party", lambda _url: None)
    request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_PASSKEY)
    token = await home.human_token(await home.person())
    call = home.call(sign_in_stub(home).BeginEnrollment, request, pb.Enrollment, token)
    assert await reason_of(call) == "PASSKEYS_NOT_OFFERED"


async def test_pages_with_passkeys_run_one_file_and_no_other_page_runs_any(home: Town, opened: Opened) -> None:
    browser = opened(await relying_party(home))
    page = await browser.begin()
    policy = page.headers["content-security-policy"]
    assert f"script-src {home.base}/oauth/passkeys.js; connect-src {home.base}/oauth/passkey-challenge" in policy
    assert page.text.count("<script") == 1
    ticket = await _asked(home, await home.person())
    page = await home.http.get("/oauth/enroll", params={"ticket": ticket})
    assert f"script-src {home.base}/oauth/passkeys.js;" in page.headers["content-security-policy"]
    script = await home.http.get("/oauth/passkeys.js")
    assert (script.status_code, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    same = await home.http.get("/oauth/passkeys.js", headers={"if-none-match": script.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    other = await home.http.get("/oauth/end-session")
    assert ("script-src" in other.headers["content-security-policy"], "<script" in other.text) == (False, False)
