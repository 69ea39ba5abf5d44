"""The public verification page in a real browser (Debian's Chromium): scanned, typed, wrong; without any script."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from deploy.local.demo.office import Office
from libs.values.messages import value_of
from libs.values.text import shown
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
    return await license_of(regions.handling, (await run.closed()).results[0].license)


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
        assert shown(value_of(field)) not in text, "the page shows what stands on the licence"
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
    headline = page.locator(".verdict")
    await expect(headline).to_have_text("信息不一致")
    await expect(headline).to_have_class(re.compile("bad"))
    await expect(page.get_by_role("row", name=re.compile("持证主体名称比对"))).to_contain_text("不一致")
    await page.close()


async def test_a_wrong_check_character_and_a_foreign_code_are_told(
    regions: Regions, browser: Browser, licence: resources_pb2.License
) -> None:
    page = await _page(browser, regions.handling)
    wrong = licence.identifier[:-1] + ("0" if licence.identifier[-1] != "0" else "1")
    sentences = {
        wrong: "校验字符不正确",
        "https://example.com/menu?table=7": "不是政务服务平台电子证照的二维码",
        f"https://x.invalid/verify?r=999999&c={licence.identifier}.00000000": "尚未与颁发地区互认",
    }
    for subject, sentence in sentences.items():
        await page.goto("/verify")
        await page.get_by_label("二维码内容").fill(subject)
        await page.get_by_role("button", name="核验").click()
        await expect(page.get_by_role("alert")).to_contain_text(sentence)
    await page.close()


async def test_a_file_can_be_dropped(
    regions: Regions, browser: Browser, licence: resources_pb2.License, tmp_path: Path
) -> None:
    page = await _page(browser, regions.handling)
    await page.goto("/verify")
    await page.get_by_label("证照文件").set_input_files(
        {"name": "不是证照.ofd", "mimeType": "application/ofd", "buffer": b"PK\x03\x04 no such file"}
    )
    await page.get_by_role("button", name="核验").click()
    await expect(page.locator(".verdict")).to_have_text("未查到该证照")
    await page.goto("/verify")
    # What a person's hand does: the browser lays a dropped file into the field itself, without any script of ours.
    box = await page.get_by_label("证照文件").bounding_box()
    assert box is not None
    dropped = tmp_path / "证照.ofd"
    dropped.write_bytes(b"PK\x03\x04 no such file either")
    session = await page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(dropped)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        await session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    await page.get_by_role("button", name="核验").click()
    await expect(page.locator(".verdict")).to_have_text("未查到该证照")
    await page.close()


_OUTSIDE = """() => {
    const found = [];
    for (const card of document.querySelectorAll('.card')) {
        const frame = card.getBoundingClientRect();
        for (const each of card.querySelectorAll('*')) {
            const box = each.getBoundingClientRect();
            if (box.width && (box.right > frame.right + 0.5 || box.left < frame.left - 0.5)) found.push(each.outerHTML.slice(0, 80));
        }
    }
    if (document.documentElement.scrollWidth > window.innerWidth) found.push('the page is wider than the screen');
    return found;
}"""


@pytest.mark.parametrize("width", [390, 900])
async def test_nothing_leaves_its_card(
    regions: Regions, browser: Browser, licence: resources_pb2.License, width: int
) -> None:
    page = await browser.new_page(base_url=regions.handling.gateway.url, viewport={"width": width, "height": 844})
    for address in (licence.qr_content, "/verify", "/", "/docs", "/nothing/here"):
        await page.goto(address)
        assert await page.evaluate(_OUTSIDE) == [], address
    await page.goto("/verify")
    await page.get_by_label("二维码内容").fill("x" * 500)
    await page.get_by_role("button", name="核验").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await page.evaluate(_OUTSIDE) == []
    await page.close()


async def test_an_unknown_address_is_a_page(regions: Regions, browser: Browser) -> None:
    page = await _page(browser, regions.home)
    answer = await page.goto("/licenses/nothing")
    assert answer is not None
    assert answer.status == 404
    await expect(page.get_by_role("alert")).to_contain_text("没有这个页面")
    await page.get_by_role("link", name="返回首页").click()
    await expect(page).to_have_url(re.compile(r"/$"))
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
