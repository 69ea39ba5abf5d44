"""People sign in at an identity provider of others: in the browser's own flow, as far as the provider is believed, as who they are."""

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from libs import outside
from services.identity.upstream import remote
from tests.support import sql
from tests.support.elsewhere import CAME, Believed, came_back, code_of, sent_there, through, told_level
from tests.support.signing_in import PASSWORD, Browser, changed, enrolled, sign_in_stub
from tests.support.town import reason_of, request_id
from tests.support.upstream_double import rsa_key
from tests.support.upstreams import CLAIM, agreed, described, end
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_who_is_proven_there_signs_in_here(believed: Believed, browser: Browser) -> None:
    person = await believed.town.person()
    page = await through(believed, browser, await believed.claims(person, "s-1"))
    assert await told_level(browser, page) == ("2", ["fed"])
    (link,) = await believed.links(person)
    assert (link.upstream, link.state) == (believed.upstream.name, pb.ACCOUNT_LINK_STATE_ACTIVE)
    assert link.upstream_display_name == "安徽省统一身份认证平台"


async def test_it_is_asked_for_what_the_client_asks_for(believed: Believed, browser: Browser) -> None:
    asked = dict(parse_qsl(urlsplit(await sent_there(believed, browser, acr_values="2", max_age="60")).query))
    assert (asked["acr_values"], asked["max_age"], asked["scope"]) == ("LoA2 LoA3", "60", "openid profile")
    asked = dict(parse_qsl(urlsplit(await sent_there(believed, browser, prompt="login")).query))
    assert (asked["max_age"], "acr_values" in asked) == ("0", False)
    assert asked["redirect_uri"].endswith(f"/oauth/{believed.upstream.name.replace('upstreams', 'upstream')}/callback")


@pytest.mark.parametrize(("acr", "level"), [("LoA1", "1"), ("LoA3", "2"), ("unheard", "0")])
async def test_nobody_is_known_better_than_the_provider_is_believed(
    believed: Believed, browser: Browser, acr: str, level: str
) -> None:
    person = await believed.town.person()
    claims = await believed.claims(person, f"s-{acr}")
    await through(believed, browser, claims)
    again = Browser(believed.town, believed.party)
    assert (await told_level(again, await through(believed, again, {**claims, "acr": acr})))[0] == level
    await again.close()


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("name", {"name": "张三三"}),
        ("number", {CLAIM: "340101199001011234"}),
        ("level", {"acr": "LoA1"}),  # below 2 it was typed in
        ("mail", {CLAIM: "", "email": "somebody@example.cn", "phone_number": "13800000000"}),
        ("text", {CLAIM: ["x"]}),
    ],
)
async def test_nobody_is_found_by_less_than_name_and_number(
    believed: Believed, browser: Browser, case: str, changes: dict[str, Any]
) -> None:
    person = await believed.town.person()
    page = await through(believed, browser, await believed.claims(person, f"u-{case}", **changes))
    assert (page.status_code, "尚未关联" in page.text) == (400, True)
    assert not browser.cookie("__Host-tongban-session")
    assert await believed.links(person) == []


async def test_who_was_not_seen_here_is_not_found_by_what_they_typed(believed: Believed, browser: Browser) -> None:
    person = await believed.town.person(verified=False)
    page = await through(believed, browser, await believed.claims(person, "u-unseen"))
    assert "尚未关联" in page.text


async def test_whose_account_it_is_says_who_signs_in_and_wants_it(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    claims = {"sub": "l-1", "acr": "LoA2"}
    page = await through(believed, browser, claims)
    found = CAME.search(page.text)
    assert found
    form = {"login": believed.town.numbers[person], "came": found[1], "link": "1"}
    wrong = await browser.submit("/oauth/sign-in", **{**form, "password": "no"})
    assert found[1] in wrong.text
    await browser.submit("/oauth/sign-in", **{**form, "password": PASSWORD})
    assert len(await believed.links(person)) == 1
    again = Browser(believed.town, believed.party)
    page = await through(believed, again, claims)
    assert (await told_level(again, page)) == ("2", ["fed"])
    await again.close()


async def test_who_does_not_want_it_is_not_linked(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    page = await through(believed, browser, {"sub": "l-2", "acr": "LoA2"})
    found = CAME.search(page.text)
    assert found
    await browser.submit("/oauth/sign-in", login=believed.town.numbers[person], password=PASSWORD, came=found[1])
    assert await believed.links(person) == []


async def test_what_came_in_one_browser_links_nothing_in_another(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    page = await through(believed, browser, {"sub": "l-3", "acr": "LoA2"})
    found = CAME.search(page.text)
    assert found
    other = Browser(believed.town, believed.party)
    await other.begin()
    form = {"login": believed.town.numbers[person], "password": PASSWORD, "came": found[1], "link": "1"}
    await other.submit("/oauth/sign-in", **form)
    assert await believed.links(person) == []
    await other.close()


async def test_an_answer_is_taken_once_and_in_its_own_browser(believed: Believed, browser: Browser) -> None:
    person = await believed.town.person()
    sent = await sent_there(believed, browser)
    location = urlsplit(believed.provider.answered(sent, await believed.claims(person, "o-1")))
    other = Browser(believed.town, believed.party)
    await other.begin()
    stolen = await other.get(location.path, **dict(parse_qsl(location.query)))
    assert (stolen.status_code, "已经失效" in stolen.text) == (400, True)
    await other.close()
    first = await browser.get(location.path, **dict(parse_qsl(location.query)))
    assert first.status_code in (200, 303)
    again = await browser.get(location.path, **dict(parse_qsl(location.query)))
    assert again.status_code == 400


@pytest.mark.parametrize("iss", ["https://evil.test", ""])
async def test_an_answer_is_of_who_was_asked(believed: Believed, browser: Browser, iss: str) -> None:
    person = await believed.town.person()
    sent = await sent_there(believed, browser)
    believed.provider.calls.clear()
    page = await came_back(believed, browser, await believed.claims(person, "i-1"), sent, iss=iss)
    assert "没有在该平台完成登录" in page.text
    assert "/token" not in believed.provider.calls


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.test"},
        {"aud": "another"},
        {"aud": ["tongban-liuan", "another"]},
        {"azp": "another"},
        {"exp": 1},
        {"iat": 1},
        {"nonce": "another"},
        {"nonce": None},
        {"auth_time": None},
        {"auth_time": 1},
        {"sub": ""},
    ],
    ids=str,
)
async def test_an_id_token_answers_what_was_asked(believed: Believed, browser: Browser, claims: dict[str, Any]) -> None:
    person = await believed.town.person()
    page = await through(believed, browser, await believed.claims(person, "t-1", **claims))
    assert (page.status_code, "没有在该平台完成登录" in page.text) == (400, True), page.text
    assert await believed.links(person) == []


async def test_who_signed_in_there_before_signed_in_then(believed: Believed, browser: Browser) -> None:
    person = await believed.town.person()
    before = int(time.time()) - 3000
    page = await through(believed, browser, await believed.claims(person, "a-1", auth_time=before))
    answer = await browser.tokens(await code_of(browser, page))
    assert outside.jwt_parts(answer.json()["id_token"], 8192)[1]["auth_time"] == before


async def test_keys_may_change(believed: Believed, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await believed.town.person()
    claims = await believed.claims(person, "k-1")
    await through(believed, browser, claims)
    believed.provider.key = rsa_key("idp-2")
    # Whoever makes up ids of keys brings about no more than a look in ten seconds.
    monkeypatch.setattr(remote, "AGAIN_SECONDS", 1e9)
    assert "没有在该平台完成登录" in (await through(believed, browser, claims, prompt="login")).text
    monkeypatch.setattr(remote, "AGAIN_SECONDS", 0.0)
    assert (await told_level(browser, await through(believed, browser, claims, prompt="login")))[0] == "2"


async def test_a_provider_that_is_away_leaves_the_other_ways(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    sent = await sent_there(believed, browser)
    believed.provider.refuses["/token"] = 503
    page = await came_back(believed, browser, {"sub": "w-1"}, sent)
    assert (page.status_code, "该平台暂时无法登录" in page.text, "503" in page.text) == (400, True, False)
    signed = await browser.sign_in(person)
    assert signed.status_code in (200, 303)
    assert '/oauth/sign-in"' not in signed.text


async def test_nobody_is_sent_to_a_provider_that_says_it_is_another(believed: Believed, browser: Browser) -> None:
    same_place = believed.provider.issuer.replace("127.0.0.1", "localhost")
    other = await agreed(believed.town, described(same_place, display_name_en="Another"))
    page = await browser.begin(ui_locales="en")
    assert "Sign in by Another" in page.text
    answer = await browser.submit("/oauth/upstream", upstream=other.name)
    assert (answer.status_code, "can&#39;t sign in there just now" in answer.text.replace("can't", "can&#39;t")) == (
        400,
        True,
    )
    first, _ = await believed.town.administrators()
    await end(believed.town, other.name, first)


async def test_whose_account_is_taken_off_signs_in_by_it_no_more(believed: Believed, browser: Browser) -> None:
    person, stranger = await enrolled(believed.town), await believed.town.person()
    remaining = {"sub": "r-1", "acr": "LoA2"}
    await through(believed, browser, await believed.claims(person, "r-1"))
    (link,) = await believed.links(person)

    async def removed(who: str, etag: str = "") -> pb.AccountLink:
        request = pb.RemoveAccountLinkRequest(name=link.name, etag=etag, request_id=request_id())
        stub, token = sign_in_stub(believed.town), await believed.town.human_token(who)
        return await believed.town.call(stub.RemoveAccountLink, request, pb.AccountLink, token)

    assert await reason_of(removed(stranger)) == "RESOURCE_NOT_FOUND"
    assert await reason_of(removed(person, '"99"')) == "ETAG_MISMATCH"
    assert (await removed(person, link.etag)).state == pb.ACCOUNT_LINK_STATE_REMOVED
    assert await reason_of(removed(person)) == "STATE_CONFLICT"
    again = Browser(believed.town, believed.party)
    assert "尚未关联" in (await through(believed, again, remaining)).text
    await again.close()


async def test_the_account_of_who_has_closed_theirs_is_free_again(believed: Believed, browser: Browser) -> None:
    before, after = await believed.town.person(), await believed.town.person()
    await through(believed, browser, await believed.claims(before, "c-1"))
    await changed(believed.town, f"UPDATE persons SET state = 'CLOSED' WHERE id = '{before.removeprefix('persons/')}'")
    again = Browser(believed.town, believed.party)
    page = await through(believed, again, await believed.claims(after, "c-1"))
    assert (await told_level(again, page))[1] == ["fed"]
    assert len(await believed.links(after)) == 1
    await again.close()


async def test_nothing_of_it_can_be_read_in_the_database(believed: Believed, browser: Browser) -> None:
    await through(believed, browser, {"sub": "plain-subject", "acr": "LoA2"})
    async with believed.town.service.process.database.transaction() as connection:
        rows = await sql.scalars(connection, "SELECT CAST(upstream_visits AS text) AS one FROM upstream_visits")
    assert rows
    assert "plain-subject" not in str(rows)


async def test_nobody_is_sent_where_it_has_ended(believed: Believed, browser: Browser) -> None:
    first, _ = await believed.town.administrators()
    sent = await sent_there(believed, browser)
    await end(believed.town, believed.upstream.name, first)
    page = await came_back(believed, browser, {"sub": "e-1"}, sent)
    assert "该平台暂时无法登录" in page.text
    assert "安徽省统一身份认证平台" not in (await browser.begin()).text
