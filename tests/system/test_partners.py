"""A partner asks at the portal in a real browser, is approved, gets a token by its own key, makes the first call and sees its use."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from playwright.async_api import Browser, Page, async_playwright, expect

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import Registry
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    assert CHROMIUM.exists(), "Chromium is missing: apt-get install -y chromium fonts-noto-cjk"
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, regions: Regions) -> AsyncIterator[Page]:
    """A browser at the region's portal."""
    context = await browser.new_context(base_url=regions.handling.gateway.url, locale="zh-CN")
    opened = await context.new_page()
    opened.set_default_timeout(PATIENCE * 1000)
    yield opened
    await context.close()


async def _token_for_a_firm(office: Office) -> str:
    registry = Registry(office, 8301)
    boss = await registry.person()
    firm = await registry.firm(boss)
    return await office.gateway.exchanged(await office.token_of_person(boss.name), firm.name)


async def _let_in(office: Office, name: str, per_day: int) -> None:
    """An administrator gives it a quota, and lets it in."""
    token = await office.token_of("administration")
    get = client_service_pb2.GetClientRequest(name=name)
    asked = await office.gateway.call(None, get, resources_pb2.Client, token)
    update = client_service_pb2.UpdateClientRequest(
        client=resources_pb2.Client(name=name, quota=resources_pb2.ClientQuota(per_day=per_day)),
        update_mask=FieldMask(paths=["quota"]),
        etag=asked.etag,
        request_id=request_id(),
    )
    limited = await office.gateway.call(None, update, resources_pb2.Client, token)
    approve = client_service_pb2.ApproveClientRequest(name=name, etag=limited.etag, request_id=request_id())
    await office.gateway.call(None, approve, resources_pb2.Client, token)


async def _run(shell: str) -> str:
    """What a partner's shell says."""
    process = await asyncio.create_subprocess_exec("bash", "-c", shell, stdout=asyncio.subprocess.PIPE)
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return said.decode()


async def test_a_partner_asks_and_sees_its_first_calls_counted(regions: Regions, page: Page) -> None:
    office, sent = regions.handling, list[str]()
    page.on("request", lambda request: sent.append(f"{request.url} {request.headers} {request.post_data}"))
    await page.goto("/partners")
    await page.get_by_role("button", name="在浏览器中生成密钥").click()
    await expect(page.locator("#keep")).to_be_visible()
    await page.get_by_label("系统名称").fill("不动产系统")
    await page.get_by_label("用途").fill("对接登记业务")
    await page.get_by_label("代表单位办事的访问令牌").fill(await _token_for_a_firm(office))
    await page.get_by_role("button", name="提交申请").press("Enter")
    said = page.locator("#ask output")
    await expect(said).to_contain_text("等待审批")
    name = (await said.inner_text()).split()[0]
    await page.get_by_role("button", name="取得令牌并查看用量").click()
    await expect(page.locator("#call output")).to_contain_text("CLIENT_NOT_ACTIVE")
    await _let_in(office, name, per_day=100)
    await page.get_by_role("button", name="取得令牌并查看用量").click()
    calls = page.get_by_role("row", name="今日调用").get_by_role("cell")
    await expect(calls).to_have_text("1")
    await expect(page.get_by_role("row", name="配额：")).to_contain_text("不限 / 100")
    assert json.loads(await _run(await page.locator("#curl").inner_text()))["name"] == name
    # Later, with the file alone.
    async with page.expect_download() as downloading:
        await page.locator("#keep").click()
    file = await (await downloading.value).path()
    private = json.loads(file.read_text(encoding="utf-8"))["private_key_jwk"]["d"]
    await page.goto("/partners?lang=en")
    await page.locator("#file").set_input_files(file)
    await page.get_by_role("button", name="Get a token and see the use").click()
    await expect(page.get_by_role("row", name="Calls today").get_by_role("cell")).to_have_text("3")
    assert len(sent) > 5
    assert not [each for each in sent if private in each], "the private key stays with its partner"


async def test_no_private_key_is_sent_by_mistake(page: Page) -> None:
    sent: list[str] = []
    await page.goto("/partners")
    page.on("request", lambda request: sent.append(request.url))
    for label, text in (("系统名称", "甲"), ("用途", "乙"), ("代表单位办事的访问令牌", "x")):
        await page.get_by_label(label).fill(text)
    await page.get_by_label("公钥（JWKS）").fill('{"keys": [{"kty": "EC", "d": "secret"}]}')
    await page.get_by_role("button", name="提交申请").click()
    await expect(page.locator("#ask output")).to_contain_text("没有发送任何内容")
    assert sent == []


async def test_anybody_sees_whether_each_service_serves(regions: Regions, page: Page) -> None:
    await page.goto("/status")
    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.get_by_role("row", name="电子证照")).to_contain_text("起")
    told = (await regions.handling.gateway.http.get("/status.json")).json()
    assert {each["service"] for each in told["services"]} == {"identity", "license", "cases", "sharing", "seal"}
    assert {each["state"] for each in told["services"]} <= {"SERVING", "LIMITED", "NOT_SERVING"}
