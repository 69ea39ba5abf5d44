"""The pages on the way to an identity provider of others and back, judged by axe-core in Debian's Chromium: it finds nothing."""

import html
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from deploy.local.demo.gateway import request_id
from tests.peers.fetch import OPENID
from tests.peers.test_axe import faults_of
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.named_region import NamedRegion, device, furnished, started
from tests.support.upstream_double import UpstreamDouble, upstream_double
from tests.support.upstreams import described
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(200)]
_PROVIDERS_HERE = '[services.identity.upstreams]\nallow_http = true\nprivate_ranges = ["127.0.0.0/8", "::1/128"]\n'
_THERE = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')


@pytest.fixture(scope="module")
def axe() -> Path:
    """axe-core's script."""
    return OPENID.ready() / "node_modules" / "axe-core" / "axe.min.js"


async def _believed(region: NamedRegion, provider: UpstreamDouble) -> None:
    """The provider knows the region's keys, and two people of the region stand behind the provider."""
    async with httpx.AsyncClient(trust_env=False) as client:
        provider.client_keys = (await client.get(f"{region.url}/.well-known/jwks.json")).json()["keys"]
    office = region.office
    propose = pb.ProposeUpstreamRequest(upstream=described(provider.issuer), request_id=request_id())
    made = await office.gateway.using(await office.token_of("administration")).call(propose, pb.Upstream)
    approve = pb.ApproveUpstreamRequest(name=made.name, etag=made.etag, request_id=request_id())
    await office.gateway.using(await office.token_of("administration2")).call(approve, pb.Upstream)


async def _sent(page: Page) -> str:
    """Goes on by the provider's button; returns where the page sends the browser, which stays for a look at it."""
    async with page.expect_response("**/oauth/upstream") as answer:
        await page.locator("form[action='/oauth/upstream'] button").click()
    found = _THERE.search(await (await answer.value).text())
    assert found
    await page.wait_for_load_state()
    return html.unescape(found[1])


@pytest.mark.parametrize(("language", "width"), [("zh-CN", 1280), ("en", 390)])
async def test_axe_finds_nothing_on_the_way_there_and_back(
    tmp_path: Path, axe: Path, language: str, width: int
) -> None:
    asked: dict[str, Any] = {"locale": language, "viewport": {"width": width, "height": 844}}
    faults: list[str] = []
    with upstream_double() as provider, started(tmp_path, _PROVIDERS_HERE) as running:
        async with furnished(*running) as region, async_playwright() as playwright:
            await _believed(region, provider)
            person = await region.person()
            chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
            context = await chromium.new_context(bypass_csp=True, **asked)
            page = await context.new_page()
            await device(page)
            await page.goto(await region.enrollment(person))
            await page.fill("#name", "x")
            await page.click("#passkey button")
            await expect(page.locator("form")).to_have_count(0)
            # Nobody answers there: the page on the way stays.
            await page.route(f"{provider.issuer}/**", lambda route: route.fulfill(status=204))
            await page.goto(region.asked().replace("acr_values=3&prompt=login", "acr_values=2"))
            faults += await faults_of(page, axe)
            there = await _sent(page)
            faults += await faults_of(page, axe)
            await page.goto(provider.answered(there, {"sub": "axe", "acr": "LoA2"}))
            links = page.locator("input[name=link]")
            await expect(links).to_have_count(2)
            faults += await faults_of(page, axe)
            # Whoever has a passkey links by it, as the page's own script sends the form.
            await links.nth(1).check()
            await page.click("#passkey button")
            await expect(page.locator("button[value=allow]")).to_be_visible()
            token = await region.office.token_of_person(person)
            told = await region.office.gateway.using(token).call(
                pb.ListAccountLinksRequest(), pb.ListAccountLinksResponse
            )
            assert len(told.account_links) == 1
            await page.goto(f"{region.url}/oauth/end-session")
            faults += await faults_of(page, axe)
            await chromium.close()
    assert faults == []
