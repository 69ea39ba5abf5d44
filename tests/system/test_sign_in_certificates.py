"""Certificates of USB keys in a real browser (Debian's Chromium), through the gateway: the page asks the maker's program, which openssl stands for."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.browser import LOOKS, chromium_running, looking
from tests.support.key_program import KeyProgram, key_program
from tests.support.named_region import REDIRECT, NamedRegion, furnished, started
from tongban.identity.v1 import sign_in_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
_WITH_CERTIFICATE = re.compile("用数字证书登录|Sign in with a certificate")
_SET = re.compile("数字证书已登记|Your certificate is set")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyProgram]:
    """The program that reaches the key."""
    folder = tmp_path_factory.mktemp("keys")
    with key_program(folder) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named(tmp_path_factory: pytest.TempPathFactory, program: KeyProgram) -> AsyncIterator[NamedRegion]:
    """A region that takes certificates, and a partner that people sign in to."""
    with started(tmp_path_factory.mktemp("named"), program.settings) as running:
        async with furnished(*running) as found:
            yield found


@pytest_asyncio.fixture(loop_scope="module", params=LOOKS)
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page of somebody who reads Chinese at a desk, and of somebody who reads English on a phone."""
    async with chromium_running() as chromium, looking(chromium, request.param, 15) as context:
        # The partner is not there: where its people are sent is enough.
        await context.route(f"{REDIRECT}**", lambda route: route.fulfill(body="here"))
        yield await context.new_page()


async def test_somebody_sets_the_certificate_of_their_key_and_signs_in_by_it_at_level_four(
    named: NamedRegion, program: KeyProgram, page: Page, tmp_path: Path
) -> None:
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    program.key = program.authority.issue()
    person = await named.person()
    await page.goto(await named.enrollment(person, sign_in_service_pb2.AUTHENTICATOR_KIND_CERTIFICATE))
    await expect(page.locator("#certificate button")).to_be_visible()
    await page.screenshot(path=tmp_path / "set.png", full_page=True)
    await page.click("#certificate button")
    await expect(page.get_by_role("heading", level=1)).to_have_text(_SET)
    assert named.url in program.asked, "what is signed says where"
    await page.goto(named.asked())
    await expect(page.get_by_role("button", name=_WITH_CERTIFICATE)).to_be_visible()
    await page.screenshot(path=tmp_path / "sign-in.png", full_page=True)
    await page.get_by_role("button", name=_WITH_CERTIFICATE).click()
    await expect(page.get_by_role("listitem").first).to_be_visible()
    await page.locator("button[value=allow]").click()
    await page.wait_for_url(f"{REDIRECT}**")
    assert "code=" in page.url
    assert faults == [], "the page's policy lets both scripts do their work, and nothing else is tried"


async def test_who_has_not_plugged_it_in_or_has_set_none_is_told_and_stays(
    named: NamedRegion, program: KeyProgram, page: Page, tmp_path: Path
) -> None:
    program.key = None
    await page.goto(named.asked())
    await page.get_by_role("button", name=_WITH_CERTIFICATE).click()
    await expect(page.locator("#certificate-failed")).to_be_visible()
    await page.screenshot(path=tmp_path / "not-plugged-in.png", full_page=True)
    await expect(page.get_by_role("button", name=_WITH_CERTIFICATE)).to_be_enabled()
    program.key = program.authority.issue()
    await page.get_by_role("button", name=_WITH_CERTIFICATE).click()
    await expect(page.locator("#fault")).to_contain_text(re.compile("数字证书不能用于登录|is not taken here"))
    await page.screenshot(path=tmp_path / "not-set.png", full_page=True)
