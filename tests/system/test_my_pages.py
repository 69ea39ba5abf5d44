"""A person signs in to the region's own pages in a real browser: sees who used their data, takes back, ends, and takes all of it home."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from typer.testing import CliRunner

from deploy.local import audit_cli
from deploy.local.demo.application import eventually
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, RegisteredPerson, Registry
from deploy.local.regions import TIANNING
from deploy.pki.region_root import ROOT_FILE
from libs.crypto.tongsuo import default_provider
from libs.crypto.x509 import Certificate
from libs.owndata.verification import verify_export
from services.gateway.my.pages import PAGES
from tests.support.at_gateway import staff
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.case_runs import approval, is_closed
from tests.support.patience import PATIENCE
from tests.support.regions import YIELDING, Regions
from tests.support.values import messages
from tests.system.test_sign_in import _ticket
from tongban.cases.v1 import case_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    consent_service_pb2,
    mandate_service_pb2,
    resources_pb2,
    sign_in_service_pb2,
)
from tongban.license.v1 import license_service_pb2
from tongban.license.v1 import resources_pb2 as licenses
from tongban.options.v1 import options_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]
_PASSWORD = "春眠不觉晓处处闻啼鸟"
_WHY = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对来人身份")
_ALL = ("identity", "license", "cases", "sharing", "seal")


class Resident:
    """Somebody with a password, whose account an office has read, and who gave a consent."""

    def __init__(self, office: Office, name: str, number: str, firm: RegisteredFirm, case: cases.Case) -> None:
        self.office, self.name, self.number, self.firm, self.case = office, name, number, firm, case

    async def signed_in(self, page: Page) -> None:
        """Opens the pages and signs in."""
        await page.goto("/my")
        await page.get_by_label("证件号码").or_(page.locator("#login")).first.fill(self.number)
        await page.locator("#password").fill(_PASSWORD)
        await page.locator("#password").press("Enter")
        await page.wait_for_url("**/my")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    assert CHROMIUM.exists(), "Chromium is missing: apt-get install -y chromium fonts-noto-cjk"
    expect.set_options(timeout=PATIENCE * 1000)
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def resident(regions: Regions) -> Resident:
    """Somebody of whom there is something to see."""
    office = regions.handling
    person = await Registry(office, 4711).person()
    own = office.gateway.human(office.channel, person.name, "PERSON", acr="4")
    begin = sign_in_service_pb2.BeginEnrollmentRequest(request_id=request_id())
    opened = await own.call(begin, sign_in_service_pb2.Enrollment)
    async with httpx.AsyncClient(base_url=office.gateway.url, trust_env=False) as http:
        form = {"ticket": _ticket(await http.get(opened.uri)), "password": _PASSWORD, "again": _PASSWORD}
        assert (await http.post("/oauth/enroll", data=form)).status_code == 200
    clerk = office.gateway.using(await office.token_of("receiving"))
    await clerk.call(account_service_pb2.GetPersonRequest(name=person.name, use_context=_WHY), resources_pb2.Person)
    consent = resources_pb2.Consent(
        subject=person.name,
        recipient=office.department,
        purpose_code="IDENTITY_CHECK",
        purpose="核验身份",
        resources=["licenses/-"],
        method=resources_pb2.CONSENT_METHOD_ONLINE,
    )
    consent.end_time.FromJsonString("2024-11-01T00:00:00Z")
    asked = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
    await own.call(asked, resources_pb2.Consent)
    helper = await Registry(office, 4712).person()
    mandate = resources_pb2.Mandate(principal=person.name, agent=helper.name, max_uses=3)
    mandate.scope.all_items = True
    mandate.scope.powers.append(options_pb2.MANDATE_POWER_APPLY)
    mandate.end_time.FromJsonString("2024-11-01T00:00:00Z")
    given = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
    await own.call(given, resources_pb2.Mandate)
    firm = await Registry(office, 4715).firm(person)
    return Resident(office, person.name, person.number, firm, await _licensed(office, person))


def _of(office: Office, person: RegisteredPerson) -> case_service_pb2.CreateCaseRequest:
    """What somebody hands in at the window, for a licence of their own."""
    document = common_pb2.IdentityDocument(type_code="111", number=person.number)
    applicant = party_pb2.Applicant(
        kind=party_pb2.PARTY_KIND_PERSON, subject=person.name, display_name=person.full_name, document=document
    )
    draft = cases.Case(
        item=office.items[YIELDING.number],
        channel=cases.CHANNEL_WINDOW,
        applicant=applicant,
        form_values=messages(address="示例路1号", scope="一般项目:示例经营活动"),
    )
    return case_service_pb2.CreateCaseRequest(case=draft, request_id=request_id())


async def _licensed(office: Office, person: RegisteredPerson) -> cases.Case:
    """A case of a person's that yielded a licence, which an office has read since."""

    async def step(request: Any, duty: str) -> cases.Case:
        return await (await staff(office, duty)).call(request, cases.Case)

    name = (await step(_of(office, person), "receiving")).name
    submitted = await step(case_service_pb2.SubmitCaseRequest(name=name, request_id=request_id()), "receiving")
    accept = case_service_pb2.AcceptCaseRequest(name=name, etag=submitted.etag, request_id=request_id())
    await step(accept, "receiving")
    reviewed = await step(case_service_pb2.StartReviewRequest(name=name, request_id=request_id()), "reviewing")
    await step(approval(reviewed), "deciding")
    read = case_service_pb2.GetCaseRequest(name=name)
    closed = await eventually(lambda: step(read, "deciding"), is_closed, f"{name} closed")
    assert isinstance(closed, cases.Case)
    why = common_pb2.UseContext(purpose_code="SUPERVISION", purpose="核查已发证照", department=office.department)
    get = license_service_pb2.GetLicenseRequest(name=closed.results[0].license, use_context=why)
    await (await staff(office, "deciding")).call(get, licenses.License)
    return closed


async def _page(browser: Browser, office: Office, **options: Any) -> Page:
    context = await browser.new_context(
        base_url=office.gateway.url, **{"locale": "zh-CN", "viewport": {"width": 1180, "height": 900}, **options}
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    return page


async def test_it_shows_what_is_held_and_who_used_it(resident: Resident, browser: Browser) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    await expect(page.get_by_role("heading", name="平台保存了什么")).to_be_visible()
    await expect(page.locator(".held")).to_contain_text("实名核验记录")
    await expect(page.locator(".away")).to_have_count(0)
    await expect(page.locator(".use").first).to_contain_text("用途")
    await page.get_by_role("link", name="全部使用记录").click()
    await page.get_by_role("link", name="身份", exact=True).click()
    use = page.locator(".use", has_text="核对来人身份").first
    await expect(use).to_contain_text("账户资料（部分隐去）")
    await use.get_by_text("详情与凭证").click()
    await expect(use).to_contain_text("identity/auditRecords/")
    assert "staff/" not in await page.content(), "it tells the office, and not who sat there"


async def test_it_lists_ones_licences_and_cases_and_who_used_them(resident: Resident, browser: Browser) -> None:
    page, case = await _page(browser, resident.office), resident.case
    await resident.signed_in(page)
    await page.get_by_role("link", name="证照", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("我的证照")
    await expect(page.locator(".item")).to_have_count(1)
    await expect(page.locator(".item")).to_contain_text("有效")
    await expect(page.locator(".item")).to_contain_text(case.results[0].license_identifier)
    await page.get_by_role("link", name="谁使用过这些证照").click()
    use = page.locator(".use", has_text="核查已发证照")
    await expect(use).to_have_count(1)
    await use.get_by_text("详情与凭证").click()
    await expect(use).to_contain_text(case.results[0].license)
    await expect(use).to_contain_text("license/auditRecords/")
    await page.goto("/my/cases")
    await expect(page.locator(".item")).to_have_count(1)
    await expect(page.locator(".item")).to_contain_text(case.number)
    await expect(page.locator(".item")).to_contain_text("已办结")


async def test_a_consent_is_taken_back_by_the_keyboard_alone(resident: Resident, browser: Browser) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    await page.goto("/my/consents")
    await expect(page.locator(".item")).to_contain_text("有效")
    summary = page.get_by_text("收回这项同意…")
    while not await summary.evaluate("each => each === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("同意已收回")
    await expect(page.locator(".item")).to_contain_text("已收回")


async def test_a_mandate_is_revoked(resident: Resident, browser: Browser) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    await page.goto("/my/mandates")
    item = page.locator(".item")
    await expect(item).to_contain_text("0/3")
    await item.get_by_text("撤销这项授权…").click()
    await item.get_by_role("button", name="确认撤销").click()
    await expect(page.get_by_role("status")).to_contain_text("授权已撤销")
    await expect(item).to_contain_text("已撤销")
    await expect(item.get_by_role("button")).to_have_count(0)


async def test_who_represents_a_firm_looks_at_its_data_and_comes_back(resident: Resident, browser: Browser) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    await page.goto("/my/mandates")
    await page.get_by_label("我代表的单位").fill(resident.firm.uscc.lower())
    await page.get_by_role("button", name="以该单位身份查看").last.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(resident.firm.display_name)
    await expect(page.get_by_role("status")).to_contain_text("您正在以单位身份查看")
    await expect(page.locator(".held")).to_contain_text("单位账户资料")
    await expect(page.locator(".away")).to_have_count(1)  # what says whose data it is
    await page.get_by_role("link", name="使用记录", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("谁使用过本单位的数据")
    await expect(page.locator("main")).to_contain_text("没有使用记录")  # those of the person are not the firm's
    for path, title in (("/my/licenses", "本单位的证照"), ("/my/cases", "本单位的办件")):
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await expect(page.locator(".item")).to_have_count(0)  # those of the person are not the firm's
    # What is their own is not reached by a firm's token.
    await page.goto("/my/sessions")
    await expect(page.get_by_role("heading", level=1)).to_have_text(resident.firm.display_name)
    await page.get_by_role("button", name="返回个人").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("您好")
    await expect(page.get_by_role("button", name="退出登录")).to_be_visible()


async def test_nobody_looks_at_a_firm_that_is_not_theirs(resident: Resident, browser: Browser) -> None:
    page, office = await _page(browser, resident.office), resident.office
    other = await Registry(office, 4713).firm(await Registry(office, 4714).person())
    await resident.signed_in(page)
    await page.goto("/my/mandates")
    await page.get_by_label("我代表的单位").fill(other.uscc)
    await page.get_by_role("button", name="以该单位身份查看").last.click()
    await expect(page.locator("main")).not_to_contain_text(other.display_name)
    await page.goto("/my")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("您好")


async def test_a_session_elsewhere_is_ended_and_so_is_ones_own(resident: Resident, browser: Browser) -> None:
    here, there = await _page(browser, resident.office), await _page(browser, resident.office)
    await resident.signed_in(there)
    await resident.signed_in(here)
    await here.goto("/my/sessions")
    other = here.locator(".item", has_text="登录中").filter(has_not_text="当前浏览器").first
    await other.get_by_text("结束这个登录…").click()
    await other.get_by_role("button", name="确认结束").click()
    await expect(here.get_by_role("status")).to_contain_text("会话已结束")
    await here.get_by_role("button", name="退出登录").click()
    await expect(here.get_by_role("heading")).to_have_text("已退出登录")
    await here.goto("/my")
    await expect(here.locator("#password")).to_be_visible()


def _without_a_use(export: Path, changed: Path) -> None:
    """Writes an export from which something was taken out of one service's part."""
    with zipfile.ZipFile(export) as whole, zipfile.ZipFile(changed, "w") as made:
        for name in whole.namelist():
            content = whole.read(name)
            made.writestr(name, content.replace(b"SUPERVISION", b"OWN_USE") if name == "license.json" else content)


async def test_all_of_it_is_one_signed_file(
    regions: Regions, resident: Resident, browser: Browser, tmp_path: Path
) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    await page.goto("/my/export")
    async with page.expect_download() as waiting:
        await page.get_by_role("button", name="生成并下载").click()
    path = await (await waiting.value).path()
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as whole:
        manifest = json.loads(whole.read("manifest.json"))
        assert set(manifest["files"]) == set(_ALL)
        assert manifest["unreachable"] == manifest["incomplete"] == []
        assert json.loads(whole.read("identity.json"))["subject"] == resident.name
    root = Certificate.parse((regions.state / TIANNING.id / "root" / ROOT_FILE).read_bytes())
    report = verify_export(path.read_bytes(), root, default_provider())
    assert report.valid, report
    # As its owner checks it, by what the region's people publish; and one byte less is found.
    changed = tmp_path / "changed.zip"
    _without_a_use(path, changed)
    for file, ends in ((path, 0), (changed, 1)):
        done = await asyncio.to_thread(
            CliRunner().invoke, audit_cli.app, ["own-data", str(file), "--state", str(regions.state)]
        )
        assert done.exit_code == ends, done.output


async def test_a_foreign_form_and_a_foreign_return_do_nothing(resident: Resident, browser: Browser) -> None:
    page = await _page(browser, resident.office)
    await resident.signed_in(page)
    answer = await page.request.post("/my/sign-out", form={"proof": "guessed"})
    assert answer.status == 400
    answer = await page.request.get("/my/callback?code=a&state=b")
    assert answer.status == 400
    await page.goto("/my")
    await expect(page.get_by_role("button", name="退出登录")).to_be_visible()


@pytest.mark.parametrize(("language", "width"), [("zh-CN", 1180), ("en", 390)])
async def test_no_page_is_wider_than_its_screen(
    resident: Resident, browser: Browser, language: str, width: int
) -> None:
    page = await _page(browser, resident.office, locale=language, viewport={"width": width, "height": 844})
    await resident.signed_in(page)
    for path in PAGES:
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert await page.locator("html").get_attribute("lang") == language
