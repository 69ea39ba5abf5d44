"""The pages of one's own data, judged by axe-core (WCAG 2.2 A and AA, and good practice) in Debian's Chromium: it finds nothing."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from deploy.local.demo.gateway import request_id
from deploy.local.demo.people import Registry
from tests.peers.conftest import Town
from tests.peers.fetch import OPENID
from tests.peers.parties import PASSWORD, enrollment_uri
from tests.peers.test_axe import faults_of
from tests.support.browser import CHROMIUM, FLAGS
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2, consent_service_pb2, mandate_service_pb2, resources_pb2
from tongban.options.v1 import options_pb2

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
_PAGES = (
    "/my",
    "/my/licenses",
    "/my/cases",
    "/my/uses",
    "/my/uses?service=license",
    "/my/consents",
    "/my/mandates",
    "/my/sessions",
    "/my/export",
)


@pytest.fixture(scope="module")
def axe() -> Path:
    """axe-core's script."""
    return OPENID.ready() / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def registry(town: Town) -> Registry:
    """Opens and verifies accounts."""
    return Registry(town.office, 901)


async def _something_to_see(town: Town, person: str, helper: str) -> None:
    """An office reads the account, and the person gives a consent, and a mandate to somebody who helps."""
    office = town.office
    why = common_pb2.UseContext(purpose_code="IDENTITY_CHECK", purpose="核对来人身份")
    clerk = office.gateway.using(await office.token_of("receiving"))
    await clerk.call(account_service_pb2.GetPersonRequest(name=person, use_context=why), resources_pb2.Person)
    consent = resources_pb2.Consent(
        subject=person,
        recipient=office.department,
        purpose_code="IDENTITY_CHECK",
        purpose="核验身份",
        resources=["licenses/-"],
        method=resources_pb2.CONSENT_METHOD_ONLINE,
    )
    consent.end_time.GetCurrentTime()
    consent.end_time.seconds += 30 * 24 * 3600
    own = office.gateway.human(office.channel, person, "PERSON", acr="4")
    asked = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
    await own.call(asked, resources_pb2.Consent)
    mandate = resources_pb2.Mandate(principal=person, agent=helper, max_uses=3)
    mandate.scope.all_items = True
    mandate.scope.powers.append(options_pb2.MANDATE_POWER_APPLY)
    mandate.end_time.CopyFrom(consent.end_time)
    await own.call(
        mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id()), resources_pb2.Mandate
    )


@pytest.mark.parametrize(
    ("language", "width", "colours"),
    [("zh-CN", 1280, "light"), ("en", 390, "light"), ("zh-CN", 390, "dark"), ("en", 1280, "dark")],
)
async def test_axe_finds_nothing_on_ones_own_pages(
    town: Town, registry: Registry, axe: Path, language: str, width: int, colours: Any
) -> None:
    url = town.office.gateway.url
    resident = await registry.person()
    await _something_to_see(town, resident.name, (await registry.person()).name)
    firm = await registry.firm(resident)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        # The pages' own policy lets no script in: axe is put in beside it.
        context = await chromium.new_context(
            locale=language, viewport={"width": width, "height": 844}, color_scheme=colours, bypass_csp=True
        )
        page = await context.new_page()
        await page.goto(await enrollment_uri(town, resident.name))
        await page.fill("#password", PASSWORD)
        await page.fill("#again", PASSWORD)
        await page.click("button")
        await page.goto(f"{url}/my")
        await page.fill("#login", resident.number)
        await page.fill("#password", PASSWORD)
        await page.press("#password", "Enter")
        await page.wait_for_url("**/my")
        faults = []
        for path in _PAGES:
            await page.goto(f"{url}{path}")
            for each in await page.locator("summary").all():
                await each.click()
            faults += await faults_of(page, axe)
        await page.goto(f"{url}/my/mandates")
        await page.fill("#uscc", firm.uscc)
        await page.locator("form[action='/my/switch'] button").click()
        for path in ("/my", "/my/uses"):
            await page.goto(f"{url}{path}")
            assert firm.display_name in await page.inner_text("main")
            faults += await faults_of(page, axe)
        for path in ("/my/callback?state=x", "/my/signed-out"):
            await page.goto(f"{url}{path}")
            faults += await faults_of(page, axe)
        await chromium.close()
    assert faults == []
