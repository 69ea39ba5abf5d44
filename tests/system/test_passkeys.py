"""Passkeys in a real browser (Debian's Chromium) with an authenticator of its own, through the gateway of a region that has a name."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.support.browser import LOOKS, chromium_running, looking
from tests.support.named_region import REDIRECT, NamedRegion, device, furnished, started

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
_ADDED = re.compile("通行密钥已添加|Your passkey is added")
_WITH_PASSKEY = re.compile("用通行密钥登录|Sign in with a passkey")
_ADD = re.compile("添加|Add")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The processes of a region that has a name."""
    with started(tmp_path_factory.mktemp("named")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named(running: tuple[Path, str]) -> AsyncIterator[NamedRegion]:
    """The region, and a partner that people sign in to."""
    async with furnished(*running) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    async with chromium_running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", params=LOOKS)
async def context(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser of somebody who reads Chinese at a desk, and of somebody who reads English on a phone."""
    async with looking(chromium, request.param, 15) as made:
        # The partner is not there: where its people are sent is enough.
        await made.route(f"{REDIRECT}**", lambda route: route.fulfill(body="here"))
        yield made


async def _shot(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
    screen, card = page.viewport_size, await page.locator(".card").bounding_box()
    assert screen is not None
    assert card is not None
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= screen["width"], "nothing is wider than the screen"


async def test_somebody_adds_a_passkey_and_signs_in_by_it(
    named: NamedRegion, context: BrowserContext, tmp_path: Path
) -> None:
    page, faults = await context.new_page(), []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    session, its_id = await device(page)
    person = await named.person()
    await page.goto(await named.enrollment(person))
    await expect(page.locator("#name")).to_be_visible()
    await _shot(page, tmp_path, "add")
    await page.fill("#name", "我的手机")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    await _shot(page, tmp_path, "added")
    held = (await session.send("WebAuthn.getCredentials", {"authenticatorId": its_id}))["credentials"]
    assert [(each["rpId"], each["isResidentCredential"]) for each in held] == [("localhost", True)]

    await page.goto(named.asked())
    await expect(page.get_by_role("button", name=_WITH_PASSKEY)).to_be_visible()
    await _shot(page, tmp_path, "sign-in")
    await page.get_by_role("button", name=_WITH_PASSKEY).click()
    await expect(page.get_by_role("listitem").first).to_be_visible()
    await page.locator("button[value=allow]").click()
    await page.wait_for_url(f"{REDIRECT}**")
    assert "code=" in page.url
    assert faults == [], "the page's policy lets its own script do its work, and nothing else is tried"


async def test_who_has_none_or_is_not_seen_is_told_and_stays(
    named: NamedRegion, context: BrowserContext, tmp_path: Path
) -> None:
    page = await context.new_page()
    session, its_id = await device(page)
    await page.goto(named.asked())
    await page.get_by_role("button", name=_WITH_PASSKEY).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()
    await _shot(page, tmp_path, "none")
    await expect(page.get_by_role("button", name=_WITH_PASSKEY)).to_be_enabled()
    person = await named.person()
    await page.goto(await named.enrollment(person))
    await page.fill("#name", "x")
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": its_id, "isUserVerified": False})
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()
    await _shot(page, tmp_path, "not-added")
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": its_id, "isUserVerified": True})
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    await page.goto(await named.enrollment(person))
    await page.fill("#name", "y")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()  # the device has one already


async def test_a_copy_of_a_passkey_is_refused_and_so_is_the_first_from_then_on(
    named: NamedRegion, context: BrowserContext, tmp_path: Path
) -> None:
    page = await context.new_page()
    session, its_id = await device(page)
    await page.goto(await named.enrollment(await named.person()))
    await page.fill("#name", "x")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    (copy,) = (await session.send("WebAuthn.getCredentials", {"authenticatorId": its_id}))["credentials"]
    for taken in (True, False, False):
        await page.goto(named.asked())
        await page.get_by_role("button", name=_WITH_PASSKEY).click()
        if taken:
            await expect(page.get_by_role("listitem").first).to_be_visible()
            await session.send("WebAuthn.clearCredentials", {"authenticatorId": its_id})
            await session.send("WebAuthn.addCredential", {"authenticatorId": its_id, "credential": copy})
        else:
            await expect(page.get_by_role("alert").first).to_be_visible()
            await _shot(page, tmp_path, "copy")
