"""The pages at which people sign in, judged by axe-core (WCAG 2.2 A and AA, and good practice) in Debian's Chromium: it finds nothing."""

from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from playwright.async_api import Page, async_playwright

from tests.peers.conftest import Town
from tests.peers.fetch import OPENID
from tests.peers.parties import PASSWORD, enrollment_uri, registered, somebody
from tests.support.browser import CHROMIUM, FLAGS
from tongban.identity.v1.sign_in_service_pb2 import AUTHENTICATOR_KIND_ONE_TIME_CODE

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
_REDIRECT = "https://partner.test/axe"


@pytest.fixture(scope="module")
def axe() -> Path:
    """axe-core's script."""
    return OPENID.ready() / "node_modules" / "axe-core" / "axe.min.js"


async def faults_of(page: Page, axe: Path) -> list[str]:
    """What axe-core finds on a page."""
    await page.add_script_tag(path=axe)
    found: dict[str, Any] = await page.evaluate("axe.run()")
    assert found["passes"], "it judged something"
    return [f"{page.url}: {each['id']}: {node['html']}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize(
    ("language", "width", "colours"), [("zh-CN", 1280, "light"), ("en", 390, "light"), ("zh-CN", 390, "dark")]
)
async def test_axe_finds_nothing(town: Town, axe: Path, language: str, width: int, colours: Any) -> None:
    url, name = town.office.gateway.url, f"axe-{language.lower()}-{width}-{colours}"
    await registered(town, name, _REDIRECT, at_devices=True)
    person, number = await somebody(town)
    asked = {
        "response_type": "code",
        "client_id": name,
        "redirect_uri": _REDIRECT,
        "scope": "openid profile",
        "code_challenge": "x" * 43,
        "code_challenge_method": "S256",
    }
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        # The pages' own policy lets no script in: axe is put in beside it.
        context = await chromium.new_context(
            locale=language, viewport={"width": width, "height": 844}, color_scheme=colours, bypass_csp=True
        )
        page = await context.new_page()
        await page.goto(await enrollment_uri(town, person))
        faults = await faults_of(page, axe)
        for password in ("kurz", PASSWORD):
            await page.fill("#password", password)
            await page.fill("#again", password)
            await page.click("button")
            faults += await faults_of(page, axe)
        await page.goto(str(httpx.URL(f"{url}/oauth/authorize", params=asked)))
        faults += await faults_of(page, axe)
        for password in ("falsch", PASSWORD):
            await page.fill("#login", number)
            await page.fill("#password", password)
            await page.press("#password", "Enter")
            await page.wait_for_load_state()
            faults += await faults_of(page, axe)
        assert await page.locator("li").count() == 2, "the page at which one agrees"
        for path in ("/oauth/end-session", "/oauth/authorize"):
            await page.goto(f"{url}{path}")
            faults += await faults_of(page, axe)
        for typed in ("BBBB-BBBB", ""):
            await page.goto(f"{url}/oauth/device?user_code={typed}")
            faults += await faults_of(page, axe)
            await page.fill("#user_code", "BBBBBBBB")
            await page.press("#user_code", "Enter")
            await page.wait_for_load_state()
            faults += await faults_of(page, axe)
        for end in ("allowed", "refused", "unmet"):
            await page.goto(f"{url}/oauth/device/{end}")
            faults += await faults_of(page, axe)
        await page.goto(await enrollment_uri(town, person, AUTHENTICATOR_KIND_ONE_TIME_CODE))
        secret = (await page.inner_text("code")).replace(" ", "")
        for code in ("000000", pyotp.TOTP(secret).now()):
            faults += await faults_of(page, axe)
            await page.fill("#code", code)
            await page.press("#code", "Enter")
            await page.wait_for_load_state()
        await page.goto(str(httpx.URL(f"{url}/oauth/authorize", params={**asked, "prompt": "login"})))
        await page.fill("#login", number)
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.wait_for_load_state()
        assert await page.locator("#code").count() == 1, "the page at which the code is asked for"
        faults += await faults_of(page, axe)
        await chromium.close()
    assert faults == []
