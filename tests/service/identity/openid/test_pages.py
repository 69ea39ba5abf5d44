"""The pages at which people sign in, in a real browser (Debian's Chromium), at desktop and phone size, by keyboard alone."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, expect

from tests.support.browser import LOOKS, chromium_running, looking
from tests.support.devices import NAME, codes_of, kiosk, poll
from tests.support.signing_in import PASSWORD, Opened, changed, enrolled, enrollment, relying_party
from tests.support.town import Town

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
_SAVED, _SIGNED_OUT = re.compile("密码已保存|Your password is saved"), re.compile("已退出登录|You are signed out")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    """Chromium without a screen."""
    async with chromium_running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", params=LOOKS)
async def context(chromium: Chromium, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser of somebody who reads Chinese at a desk, and of somebody who reads English on a phone."""
    async with looking(chromium, request.param, 15, java_script_enabled=False) as made:
        yield made


async def _shot(page: Page, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    await page.screenshot(path=path, full_page=True)
    assert path.stat().st_size > 5_000
    screen, card = page.viewport_size, await page.locator(".card").bounding_box()
    assert screen is not None
    assert card is not None
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= screen["width"], "nothing is wider than the screen"


async def test_somebody_signs_in_at_a_kiosk_by_keyboard_alone(
    home: Town, context: BrowserContext, tmp_path: Path
) -> None:
    person, machine, page = await enrolled(home), await kiosk(home), await context.new_page()
    base, codes = str(home.http.base_url), await codes_of(home, machine)
    await page.goto(f"{base}/oauth/device")
    await _shot(page, tmp_path, "device")
    await page.keyboard.type("BBBB-BBBB")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    # What a screen reader says of the field: its label, and what is wrong with it.
    field = page.get_by_label(re.compile("设备上的代码|Code on the device"))
    await expect(field).to_have_accessible_description(re.compile("代码不正确|The code is not right"))
    await page.goto(f"{base}/oauth/device?user_code={codes['user_code']}")
    await expect(page.get_by_role("textbox")).to_have_value(codes["user_code"])
    await page.keyboard.press("Enter")
    await expect(page.get_by_label(re.compile("密码|Password"))).to_be_visible()
    await expect(page.get_by_text(NAME)).to_be_visible()
    await _shot(page, tmp_path, "device-sign-in")
    await page.keyboard.type(home.numbers[person])
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_text(NAME)).to_be_visible()
    await expect(page.get_by_text("198.51.100.77")).to_be_visible()
    await _shot(page, tmp_path, "device-consent")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("已允许|Allowed"))
    await _shot(page, tmp_path, "device-allowed")
    assert (await poll(home, machine, codes["device_code"])).status_code == 200


async def test_somebody_sets_a_password_signs_in_and_agrees_by_keyboard_alone(
    home: Town, opened: Opened, context: BrowserContext, tmp_path: Path
) -> None:
    person, page, base = await home.person(), await context.new_page(), str(home.http.base_url)
    # Another origin than ours, which the page's policy must let the form's answer go to.
    party, partner = await relying_party(home), f"{base.replace('127.0.0.1', 'localhost')}/callback"
    await changed(home, f"UPDATE clients SET redirect_uris = ARRAY['{partner}'] WHERE id = '{party.client_id}'")
    await page.goto(f"{base}/oauth/enroll?{urlencode({'ticket': await enrollment(home, person)})}")
    await _shot(page, tmp_path, "enroll")
    await page.keyboard.type("kurz")
    await page.keyboard.press("Tab")
    await page.keyboard.type("kurz")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await _shot(page, tmp_path, "enroll-fault")
    for _ in range(2):
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(_SAVED)

    await page.goto(f"{base}/oauth/authorize?{urlencode(opened(party).asked(redirect_uri=partner))}")
    await _shot(page, tmp_path, "sign-in")
    await page.keyboard.type(home.numbers[person])
    await page.keyboard.press("Tab")
    await page.keyboard.type("ein falsches Wort")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await _shot(page, tmp_path, "sign-in-fault")
    await page.keyboard.type(home.numbers[person])
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("listitem").first).to_be_visible()
    await _shot(page, tmp_path, "consent")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{partner}?**")
    assert "code=" in page.url

    await page.goto(f"{base}/oauth/end-session")
    await _shot(page, tmp_path, "sign-out")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(_SIGNED_OUT)
    await page.goto(f"{base}/oauth/authorize?{urlencode(opened(party).asked(client_id='nobody'))}")
    await _shot(page, tmp_path, "refused")
