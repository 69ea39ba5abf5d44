"""Whose account here an account elsewhere is: nobody comes in as somebody else by it, and none is known better than who linked it."""

import asyncio
import html
import json
import re
import time

import pytest

from libs import outside
from services.identity.upstream import links, store
from tests.support import sql
from tests.support.elsewhere import CAME, Believed, came_back, code_of, sent_there, through, told_level
from tests.support.recorded import records_of
from tests.support.signing_in import PASSWORD, Browser, changed, enrolled, sign_in_stub
from tests.support.soft_passkeys import SoftPasskey
from tests.support.town import reason_of, request_id
from tests.support.upstreams import CLAIM, described, end, propose
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_OPTIONS = re.compile(r'data-options="([^"]+)"')


async def _linked(believed: Believed, person: str, browser: Browser, claims: dict[str, str]) -> None:
    """Comes back by an account of nobody's, and has it linked in the form of the password."""
    page = await through(believed, browser, claims)
    found = CAME.search(page.text)
    assert found, page.text
    form = {"login": believed.town.numbers[person], "password": PASSWORD}
    await browser.submit("/oauth/sign-in", **form, came=found[1], link="1")


async def _count(believed: Believed, statement: str) -> int:
    async with believed.town.service.process.database.read() as connection:
        (found,) = await sql.scalars(connection, statement)
    return int(found)


async def test_who_is_proven_there_to_be_somebody_else_links_nothing(believed: Believed, browser: Browser) -> None:
    person, other = await enrolled(believed.town), await believed.town.person(verified=False)
    nobodys = believed.town.people.citizen_id()
    await _linked(believed, person, browser, {"sub": "w-1", "acr": "LoA2", CLAIM: nobodys})
    assert await believed.links(person) == []
    again = Browser(believed.town, believed.party)
    await _linked(believed, person, again, {"sub": "w-2", "acr": "LoA2", CLAIM: believed.town.numbers[other]})
    assert await believed.links(person) == []
    await again.close()
    # Below 2 it was typed in, and proves nothing.
    third = Browser(believed.town, believed.party)
    await _linked(believed, person, third, {"sub": "w-3", "acr": "LoA1", CLAIM: nobodys})
    assert len(await believed.links(person)) == 1
    await third.close()


async def test_who_is_proven_there_to_be_somebody_else_does_not_come_in(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    await _linked(believed, person, browser, {"sub": "x-1", "acr": "LoA2"})
    assert len(await believed.links(person)) == 1
    again = Browser(believed.town, believed.party)
    page = await through(believed, again, {"sub": "x-1", "acr": "LoA2", CLAIM: believed.town.people.citizen_id()})
    assert (page.status_code, "没有在该平台完成登录" in page.text) == (400, True)
    assert not again.cookie("__Host-tongban-session")
    page = await through(believed, again, await believed.claims(person, "x-1"))
    assert (await told_level(again, page))[0] == "2"
    await again.close()


async def test_a_link_is_worth_no_more_than_the_sign_in_that_made_it(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    await changed(believed.town, f"UPDATE authenticators SET assurance = 1 WHERE person = '{person}'")
    await _linked(believed, person, browser, {"sub": "y-1", "acr": "LoA2"})
    again = Browser(believed.town, believed.party)
    page = await through(believed, again, {"sub": "y-1", "acr": "LoA2"})
    assert await told_level(again, page) == ("1", ["fed"])
    # Name and number prove it anew, each time.
    page = await through(believed, again, await believed.claims(person, "y-1"), prompt="login")
    assert (await told_level(again, page))[0] == "2"
    await again.close()


async def test_who_comes_in_by_a_link_is_named_in_the_record(believed: Believed, browser: Browser) -> None:
    person = await enrolled(believed.town)
    await _linked(believed, person, browser, {"sub": "z-1", "acr": "LoA2"})
    again = Browser(believed.town, believed.party)
    await through(believed, again, {"sub": "z-1", "acr": "LoA2"})
    await again.close()
    (record,) = (await records_of(believed.town.service.process, "signin.upstream"))[-1:]
    assert record.actor == person


async def _passkey(believed: Believed, person: str) -> SoftPasskey:
    """Adds a passkey to an account."""
    kind = pb.AUTHENTICATOR_KIND_PASSKEY
    request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=kind)
    stub, token = sign_in_stub(believed.town), await believed.town.human_token(person)
    opened = await believed.town.call(stub.BeginEnrollment, request, pb.Enrollment, token)
    ticket, passkey = opened.uri.partition("ticket=")[2], SoftPasskey(believed.town.base)
    options = _OPTIONS.search((await believed.town.http.get("/oauth/enroll", params={"ticket": ticket})).text)
    assert options
    made = passkey.made(json.loads(html.unescape(options[1])))
    form = {"ticket": ticket, "credential": made, "name": "手机"}
    assert (await believed.town.http.post("/oauth/enroll", data=form)).status_code == 200
    return passkey


@pytest.mark.parametrize("wanted", [True, False])
async def test_whoever_has_a_passkey_links_by_it(believed: Believed, browser: Browser, wanted: bool) -> None:
    person, claims = await believed.town.person(), {"sub": f"p-{wanted}", "acr": "LoA2"}
    passkey = await _passkey(believed, person)
    page = await through(believed, browser, claims)
    came = CAME.findall(page.text)
    assert (len(came), page.text.count('name="link"')) == (2, 2), "one in each form"
    # What is not taken leaves the offer as it was.
    refused = await browser.submit("/oauth/passkey", credential="{}", came=came[1])
    assert CAME.findall(refused.text) == came
    asked = (await browser.submit_beside("/oauth/passkey-challenge")).json()
    said = {"link": "1"} if wanted else {}
    await browser.submit("/oauth/passkey", credential=passkey.shown(asked), came=came[1], **said)
    assert len(await believed.links(person)) == wanted


async def test_a_session_lasts_from_when_somebody_signed_in_there(believed: Believed, browser: Browser) -> None:
    person, before = await believed.town.person(), int(time.time()) - 6 * 3600
    await through(believed, browser, await believed.claims(person, "t-6", auth_time=before))
    lasts = f"SELECT CAST(extract(epoch FROM expire_time) AS bigint) FROM sessions WHERE person = '{person}'"
    assert await _count(believed, lasts) == before + 12 * 3600


async def test_who_signed_in_there_and_comes_back_late_signed_in_then(believed: Believed, browser: Browser) -> None:
    person, then = await believed.town.person(), int(time.time()) - 300
    sent = await sent_there(believed, browser)
    for table in ("upstream_visits", "authorization_requests"):
        await changed(believed.town, f"UPDATE {table} SET create_time = create_time - interval '10 minutes'")
    page = await came_back(believed, browser, await believed.claims(person, "t-7", auth_time=then), sent)
    answer = await browser.tokens(await code_of(browser, page))
    assert outside.jwt_parts(answer.json()["id_token"], 8192)[1]["auth_time"] == then


async def test_who_signs_out_here_hears_that_they_are_still_signed_in_there(
    believed: Believed, browser: Browser
) -> None:
    person, still = await enrolled(believed.town), "登录时所用平台的登录仍然有效"
    await through(believed, browser, await believed.claims(person, "out-1"))
    assert still in (await browser.get("/oauth/end-session")).text
    over = await browser._http.post("/oauth/end-session", data={"confirmed": "1"})
    assert ("已退出登录" in over.text, still in over.text) == (True, True)
    await browser.code(person)
    assert still not in (await browser.get("/oauth/end-session")).text


async def test_two_who_come_in_by_one_account_at_a_time_both_do(
    believed: Believed, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, both = await believed.town.person(), asyncio.Barrier(2)
    claims, find = await believed.claims(person, "race-1"), links.link_of

    async def together(connection: object, account: bytes) -> links.AccountLink | None:
        """Neither goes on before the other has seen that there is none."""
        found = await find(connection, account)  # type: ignore[arg-type]
        if found is None:
            await both.wait()
        return found

    other = Browser(believed.town, believed.party)
    sent = [(each, await sent_there(believed, each)) for each in (browser, other)]
    monkeypatch.setattr(links, "link_of", together)
    pages = await asyncio.gather(*(came_back(believed, each, claims, there) for each, there in sent))
    monkeypatch.undo()
    for each, page in zip((browser, other), pages, strict=True):
        assert (await told_level(each, page))[0] == "2"
    assert len(await believed.links(person)) == 1
    await other.close()


async def test_two_who_propose_one_issuer_at_a_time_make_one(
    believed: Believed, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await believed.town.administrators()
    asked, both, find = described("https://race.idp.test"), asyncio.Barrier(2), store.living

    async def together(connection: object, issuer: str) -> object:
        found = await find(connection, issuer)  # type: ignore[arg-type]
        await both.wait()
        return found

    monkeypatch.setattr(store, "living", together)
    calls = [asyncio.ensure_future(propose(believed.town, asked, token)) for token in (first, second)]
    await asyncio.wait(calls)
    assert [await reason_of(each) for each in calls if each.exception() is not None] == ["RESOURCE_EXISTS"]


async def test_no_session_is_left_where_the_sign_in_is_over(believed: Believed, browser: Browser) -> None:
    person = await believed.town.person()
    sent = await sent_there(believed, browser)
    await changed(believed.town, "DELETE FROM authorization_requests")
    believed.provider.calls.clear()
    page = await came_back(believed, browser, await believed.claims(person, "o-9"), sent)
    assert (page.status_code, "已经失效" in page.text) == (400, True)
    assert await _count(believed, f"SELECT count(*) FROM sessions WHERE person = '{person}'") == 0
    assert "/token" not in believed.provider.calls


async def test_nobody_comes_in_where_it_ends_while_it_is_asked(
    believed: Believed, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await believed.town.administrators()
    person = await believed.town.person()
    sent, opened = await sent_there(believed, browser), links.link_of

    async def ending(connection: object, account: bytes) -> object:
        monkeypatch.undo()
        await end(believed.town, believed.upstream.name, first)
        return await opened(connection, account)  # type: ignore[arg-type]

    monkeypatch.setattr(links, "link_of", ending)
    page = await came_back(believed, browser, await believed.claims(person, "e-9"), sent)
    assert "该平台暂时无法登录" in page.text
    assert await _count(believed, f"SELECT count(*) FROM sessions WHERE person = '{person}'") == 0
