"""The pages of passkeys and certificates, judged by axe-core in Debian's Chromium as the others are (test_axe.py), in a region that browsers take for safe."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright, expect

from tests.peers.fetch import OPENID
from tests.peers.test_axe import faults_of
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.key_program import key_program
from tests.support.named_region import device, furnished, started
from tongban.identity.v1 import sign_in_service_pb2

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]
_LOOKS: tuple[tuple[str, int, Any], ...] = (("zh-CN", 1280, "light"), ("en", 390, "light"), ("zh-CN", 390, "dark"))


async def test_axe_finds_nothing_on_the_pages_of_keys(tmp_path: Path) -> None:
    axe, faults = OPENID.ready() / "node_modules" / "axe-core" / "axe.min.js", []
    with key_program(tmp_path) as program, started(tmp_path, program.settings) as running:
        async with furnished(*running) as region, async_playwright() as playwright:
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            for language, width, colours in _LOOKS:
                # The pages' own policy lets no other script in: axe is put in beside it.
                context = await chromium.new_context(
                    locale=language, viewport={"width": width, "height": 844}, color_scheme=colours, bypass_csp=True
                )
                page = await context.new_page()
                await page.goto(region.asked())
                faults += await faults_of(page, axe)
                await device(page)
                await page.click("#passkey button")
                await expect(page.locator("#passkey-failed")).to_be_visible()
                faults += await faults_of(page, axe)
                await page.goto(await region.enrollment(await region.person()))
                faults += await faults_of(page, axe)
                await page.fill("#name", "x")
                await page.click("#passkey button")
                await expect(page.locator("#passkey")).to_have_count(0)
                faults += await faults_of(page, axe)
                await page.goto(
                    await region.enrollment(await region.person(), sign_in_service_pb2.AUTHENTICATOR_KIND_CERTIFICATE)
                )
                await page.click("#certificate button")
                await expect(page.locator("#certificate-failed")).to_be_visible()
                faults += await faults_of(page, axe)
                await context.close()
            await chromium.close()
    assert faults == []
