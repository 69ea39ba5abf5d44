"""The portal's pages for partners, judged by axe-core (WCAG 2.2 A and AA, and good practice) in Debian's Chromium: it finds nothing."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.peers.conftest import Town
from tests.peers.fetch import OPENID
from tests.peers.test_axe import faults_of
from tests.support.browser import CHROMIUM, FLAGS

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
_PAGES = ("/status", "/partners")


@pytest.fixture(scope="module")
def axe() -> Path:
    """axe-core's script."""
    return OPENID.ready() / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.parametrize(
    ("language", "width", "colours"),
    [("zh-CN", 1280, "light"), ("en", 390, "light"), ("zh-CN", 390, "dark"), ("en", 1280, "dark")],
)
async def test_axe_finds_nothing_on_the_pages_for_partners(
    town: Town, axe: Path, language: str, width: int, colours: Any
) -> None:
    faults: list[str] = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = await chromium.new_context(
            locale=language,
            viewport={"width": width, "height": 844},
            color_scheme=colours,
            bypass_csp=True,
            base_url=town.office.gateway.url,
        )
        page = await context.new_page()
        for path in _PAGES:
            await page.goto(path)
            faults += await faults_of(page, axe)
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await chromium.close()
    assert faults == []
