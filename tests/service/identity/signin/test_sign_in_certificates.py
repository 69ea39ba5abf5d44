"""Signing in by the certificate of a USB key: set at a page of ours, asked for at the next sign-in, and whatever is not as it should be refused."""

import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.identity.config import SignInCertificates, SignInSection
from tests.support.recorded import records_of
from tests.support.service import Ground
from tests.support.signing_in import Browser, enrolled, relying_party, sign_in_stub, told
from tests.support.town import LIUAN, Town, reason_of, request_id, town
from tests.support.usb_keys import Authority, UsbKey
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
_TEXT = re.compile(r'data-text="([^"]+)"')
_CERTIFICATE = pb.AUTHENTICATOR_KIND_CERTIFICATE
_DEVICES = "window.tongbanCertificate = { sign: () => Promise.reject() };"


@dataclass
class Certified:
    """A region that takes the certificates of an authority, up to level 4, and looks at what that has revoked."""

    town: Town
    authority: Authority
    lists: Path

    async def asked(self, person: str, **claims: Any) -> str:
        """Opens the page at which a certificate is set; returns its ticket."""
        request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_CERTIFICATE)
        token = await self.town.human_token(person, **claims)
        opened = await self.town.call(sign_in_stub(self.town).BeginEnrollment, request, pb.Enrollment, token)
        return opened.uri.partition("ticket=")[2]

    async def text(self, ticket: str) -> str:
        """What that page has to be signed."""
        page = await self.town.http.get("/oauth/enroll", params={"ticket": ticket})
        found = _TEXT.search(page.text)
        assert found, page.text
        return html.unescape(found[1])

    async def sent(self, ticket: str, answer: str) -> httpx.Response:
        """Sends what was signed."""
        return await self.town.http.post("/oauth/enroll", data={"ticket": ticket, "credential": answer})

    async def set_key(self, person: str, key: UsbKey, **claims: Any) -> None:
        """Sets a certificate."""
        ticket = await self.asked(person, **claims)
        answer = await self.sent(ticket, key.answer(await self.text(ticket)))
        assert answer.status_code == 200, answer.text

    async def held(self, person: str) -> list[pb.Authenticator]:
        """Which certificates somebody set, newest first."""
        asked = pb.ListAuthenticatorsRequest(filter="kind = AUTHENTICATOR_KIND_CERTIFICATE")
        token = await self.town.human_token(person)
        listed = sign_in_stub(self.town).ListAuthenticators
        return list((await self.town.call(listed, asked, pb.ListAuthenticatorsResponse, token)).authenticators)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def certified(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Certified]:
    """The region."""
    folder = tmp_path_factory.mktemp("certified")
    authority, lists, script = Authority(folder / "authority"), folder / "lists.pem", folder / "devices.js"
    (folder / "authorities.pem").write_bytes(authority.pem)
    lists.write_bytes(authority.lists())
    script.write_text(_DEVICES)
    section = SignInCertificates(
        authorities=folder / "authorities.pem", crl=lists, assurance=4, script=script, connect=("wss://127.0.0.1:9443",)
    )
    async with town(ground, folder, LIUAN, sign_in=SignInSection(certificates=section)) as found:
        await found.settle(("receiving", resources_pb2.DUTY_RECEIVING))
        yield Certified(found, authority, lists)


@pytest_asyncio.fixture(loop_scope="module")
async def browser(certified: Certified) -> AsyncIterator[Browser]:
    """A browser without a memory, at a client that people sign in to."""
    found = Browser(certified.town, await relying_party(certified.town))
    yield found
    await found.close()


async def _challenged(browser: Browser) -> str:
    answer = await browser.submit_beside("/oauth/certificate-challenge")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store"), answer.text
    text: str = answer.json()["text"]
    return text


async def _shown(browser: Browser, key: UsbKey) -> httpx.Response:
    return await browser.submit("/oauth/certificate", credential=key.answer(await _challenged(browser)))


def _is_refused(answer: httpx.Response, status: int = 400) -> bool:
    return answer.status_code == status and "/oauth/sign-in" in answer.text and "set-cookie" not in answer.headers


async def test_a_certificate_that_names_its_holder_signs_in_at_level_four(
    certified: Certified, browser: Browser
) -> None:
    person = await certified.town.person()
    key = certified.authority.issue(number=certified.town.numbers[person])
    await certified.set_key(person, key, acr="2")
    await browser.begin(acr_values="4")
    page = await _shown(browser, key)
    assert "/oauth/consent" in page.text
    answer = await browser.tokens(told(await browser.submit("/oauth/consent", decision="allow"))["code"])
    actor = await certified.town.verifier().verify(answer.json()["access_token"])
    assert (actor.person, actor.assurance) == (person, 4)
    listed = pb.ListSessionsRequest(page_size=1)
    token = await certified.town.human_token(person)
    sessions = await certified.town.call(
        sign_in_stub(certified.town).ListSessions, listed, pb.ListSessionsResponse, token
    )
    assert list(sessions.sessions[0].methods) == ["pop"]
    (held,) = await certified.held(person)
    assert (held.kind, "测试电子认证" in held.display_name) == (_CERTIFICATE, True)
    assert held.last_use_time.seconds > 0
    assert held.expire_time.seconds > held.create_time.seconds


async def test_one_that_names_nobody_stands_for_no_more_than_the_session_in_which_it_was_set(
    certified: Certified, browser: Browser
) -> None:
    key = certified.authority.issue()
    await certified.set_key(await certified.town.person(), key, acr="2")
    await browser.begin(acr_values="3")
    assert told(await _shown(browser, key))["error"] == "unmet_authentication_requirements"


async def test_what_names_somebody_else_or_is_somebody_elses_is_not_set(certified: Certified) -> None:
    first, second = await certified.town.person(), await certified.town.person()
    of_first = certified.authority.issue(number=certified.town.numbers[first])
    for stranger in (of_first, certified.authority.issue(number="11010119900307757X")):
        ticket = await certified.asked(second)
        refused = await certified.sent(ticket, stranger.answer(await certified.text(ticket)))
        assert (refused.status_code, "证件号码" in refused.text) == (400, True)
    unnamed = certified.authority.issue()
    await certified.set_key(first, unnamed)
    ticket = await certified.asked(second)
    assert (await certified.sent(ticket, unnamed.answer(await certified.text(ticket)))).status_code == 400
    assert await certified.held(second) == []
    answer = await certified.sent(ticket, certified.authority.issue().answer(await certified.text(ticket)))
    assert answer.status_code == 200, "what was refused used nothing up"


async def test_another_takes_its_place_and_the_one_before_signs_in_no_more(
    certified: Certified, browser: Browser
) -> None:
    person = await certified.town.person()
    before, after = certified.authority.issue(), certified.authority.issue()
    await certified.set_key(person, before)
    await certified.set_key(person, before)  # the same, renewed
    await certified.set_key(person, after)
    states = [each.state for each in await certified.held(person)]
    assert states == [pb.AUTHENTICATOR_STATE_ACTIVE, *[pb.AUTHENTICATOR_STATE_SUPERSEDED] * 2]
    await browser.begin()
    assert _is_refused(await _shown(browser, before))
    assert (await _shown(browser, after)).status_code == 200


async def test_one_that_was_renewed_signs_in_as_before_and_is_told_by_its_new_end(
    certified: Certified, browser: Browser
) -> None:
    person, key = await certified.town.person(), certified.authority.issue(days="30")
    await certified.set_key(person, key)
    await browser.begin()
    assert (await _shown(browser, certified.authority.issue(key=key, days="400"))).status_code == 200
    (held,) = await certified.held(person)
    assert (held.expire_time.seconds - held.create_time.seconds) // 86_400 in (399, 400)


async def test_one_that_was_taken_away_or_revoked_signs_in_no_more(certified: Certified, browser: Browser) -> None:
    person, key = await certified.town.person(), certified.authority.issue()
    await certified.set_key(person, key)
    (held,) = await certified.held(person)
    remove = pb.RemoveAuthenticatorRequest(name=held.name, etag=held.etag, request_id=request_id())
    token = await certified.town.human_token(person)
    await certified.town.call(sign_in_stub(certified.town).RemoveAuthenticator, remove, pb.Authenticator, token)
    await browser.begin()
    assert _is_refused(await _shown(browser, key))
    lost = certified.authority.issue()
    await certified.set_key(person, lost)
    certified.authority.revoke(lost)
    assert (await _shown(browser, lost)).status_code == 200, "the list is not there yet"
    certified.lists.write_bytes(certified.authority.lists())
    await browser.begin(prompt="login")
    assert _is_refused(await _shown(browser, lost))


async def test_where_nobody_can_tell_what_was_revoked_nobody_signs_in_by_it_and_is_told_so(
    certified: Certified, browser: Browser
) -> None:
    person, key = await certified.town.person(), certified.authority.issue()
    await certified.set_key(person, key)
    good = certified.lists.read_bytes()
    certified.lists.write_bytes(good[: good.index(b"-----BEGIN", 10)])  # the root's alone
    try:
        await browser.begin()
        away = await _shown(browser, key)
        assert (_is_refused(away, 503), "暂时无法核验" in away.text) == (True, True)
        ticket = await certified.asked(person)
        assert (await certified.sent(ticket, key.answer(await certified.text(ticket)))).status_code == 503
    finally:
        certified.lists.write_bytes(good)
    assert (await _shown(browser, key)).status_code == 200


async def test_what_was_signed_is_good_once_and_for_its_own_purpose(certified: Certified, browser: Browser) -> None:
    person, key = await certified.town.person(), certified.authority.issue()
    ticket = await certified.asked(person)
    to_set = key.answer(await certified.text(ticket))
    await browser.begin()
    await _challenged(browser)
    assert _is_refused(await browser.submit("/oauth/certificate", credential=to_set))
    assert (await certified.sent(ticket, key.answer(await _challenged(browser)))).status_code == 400
    assert (await certified.sent(ticket, to_set)).status_code == 200
    assert (await certified.sent(ticket, to_set)).status_code == 400, "the page is used up"
    answer = key.answer(await _challenged(browser))
    wrong = json.dumps({**json.loads(answer), "signature": "AAAA"})
    assert _is_refused(await browser.submit("/oauth/certificate", credential=wrong))
    assert _is_refused(await browser.submit("/oauth/certificate", credential=answer)), "used up by the one before"
    assert _is_refused(await browser.submit("/oauth/certificate", credential=answer)), "none was asked for"
    assert (await _shown(browser, key)).status_code == 200


async def test_each_refusal_is_on_record_and_tells_nothing_of_who_has_one(
    certified: Certified, browser: Browser
) -> None:
    before = len(await records_of(certified.town.service.process, "signin.certificate"))
    unset = certified.authority.issue(number=certified.town.numbers[await certified.town.person()])
    await browser.begin()
    refused = await _shown(browser, unset)
    broken = await browser.submit("/oauth/certificate", credential="{}")
    ticket = re.compile(r'name="ticket" value="[^"]+"')
    assert ticket.sub("", refused.text) == ticket.sub("", broken.text)
    records = (await records_of(certified.town.service.process, "signin.certificate"))[before:]
    assert [each.result for each in records] == ["SIGN_IN_REFUSED"] * 2


async def test_pages_with_certificates_run_the_makers_script_before_ours_and_call_what_it_may(
    certified: Certified, browser: Browser
) -> None:
    page, base = await browser.begin(), certified.town.base
    assert (
        f"{base}/oauth/certificate-devices.js {base}/oauth/certificates.js" in page.headers["content-security-policy"]
    )
    connect = page.headers["content-security-policy"].partition("connect-src ")[2]
    assert {"wss://127.0.0.1:9443", f"{base}/oauth/certificate-challenge"} <= set(connect.split())
    scripts = re.findall(r'<script src="([^"]+)"', page.text)
    assert scripts[-2:] == ["/oauth/certificate-devices.js", "/oauth/certificates.js"]
    served = await certified.town.http.get("/oauth/certificate-devices.js")
    assert (served.text, served.headers["content-type"]) == (_DEVICES, "text/javascript; charset=utf-8")


async def test_a_region_that_trusts_no_authority_offers_none(home: Town) -> None:
    request = pb.BeginEnrollmentRequest(request_id=request_id(), kind=_CERTIFICATE)
    token = await home.human_token(await home.person())
    call = home.call(sign_in_stub(home).BeginEnrollment, request, pb.Enrollment, token)
    assert await reason_of(call) == "CERTIFICATES_NOT_OFFERED"
    browser = Browser(home, await relying_party(home))
    page = await browser.begin()
    assert "certificate" not in page.text
    assert (await browser.submit_beside("/oauth/certificate-challenge")).status_code == 400
    assert _is_refused(await browser.submit("/oauth/certificate", credential="{}"))
    assert (await browser.sign_in(await enrolled(home))).status_code == 200
    await browser.close()
