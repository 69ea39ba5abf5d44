"""The public verification page in a real browser (Debian's Chromium): scanned, typed, wrong; without any script."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from deploy.local.demo.office import Office
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.case_runs import CaseRun
from tests.support.regions import YIELDING, Regions
from tests.support.verification import license_of
from tongban.license.v1 import resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    assert CHROMIUM.exists(), "Chromium is missing: apt-get install -y chromium fonts-noto-cjk"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def licence(regions: Regions) -> resources_pb2.License:
    """A licence that came out of a case."""
    run = CaseRun(regions.handling, YIELDING)
    await run.run(1, seed=8)
    return await license_of(regions.handling, (await run.closed()).license)


async def _page(browser: Browser, office: Office) -> Page:
    page = await browser.new_page(base_url=office.gateway.url, viewport={"width": 900, "height": 900})
    page.set_default_timeout(15_000)
    return page


async def test_a_scanned_code_shows_the_verdict(
    regions: Regions, browser: Browser, licence: resources_pb2.License, tmp_path: Path
) -> None:
    page = await _page(browser, regions.handling)
    # A phone opens the code's content as it is.
    assert licence.qr_content.startswith(regions.handling.gateway.url)
    await page.goto(licence.qr_content)
    verdict = page.get_by_role("status")
    await expect(verdict).to_contain_text("证照有效")
    await expect(verdict).to_contain_text(licence.identifier)
    text = await page.inner_text("body")
    for field in licence.face_fields.values():
        assert field not in text, "the page shows what stands on the licence"
    shot = tmp_path / "verify.png"
    await page.screenshot(path=shot, full_page=True)
    assert shot.stat().st_size > 5_000
    await page.close()


async def test_a_typed_identifier_is_compared_with_the_holder(
    regions: Regions, browser: Browser, licence: resources_pb2.License
) -> None:
    page = await _page(browser, regions.handling)
    await page.goto("/verify")
    await page.get_by_label("二维码内容").fill(licence.identifier)
    await page.get_by_label("持证主体名称").fill("示例不是此人")
    await page.get_by_role("button", name="核验").click()
    await expect(page.get_by_role("status")).to_contain_text("证照有效")
    await expect(page.get_by_role("row", name=re.compile("持证主体名称比对"))).to_contain_text("不一致")
    await page.close()


async def test_what_is_no_licence_is_told_so_and_runs_nothing(regions: Regions, browser: Browser) -> None:
    page = await _page(browser, regions.home)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    await page.goto("/verify")
    await page.get_by_label("二维码内容").fill('"><script>alert(1)</script>')
    await page.get_by_role("button", name="核验").click()
    await expect(page.locator(".verdict")).to_contain_text(re.compile("未查到该证照|无法核验"))
    assert await page.locator("script").count() == 0
    assert alerts == []
    await page.close()


async def test_the_front_page_leads_to_the_documentation(regions: Regions, browser: Browser) -> None:
    page = await _page(browser, regions.home)
    await page.goto("/")
    await page.locator("a[href='/docs']").first.click()
    await expect(page.locator("body")).to_contain_text("CaseService")
    await page.close()
