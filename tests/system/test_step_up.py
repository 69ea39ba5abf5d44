"""A refusal says how to sign in better or anew (RFC 9470), and a browser goes on from there until the same call is served."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.regions import LIUAN
from libs.rpc.messages import working_days
from tests.support.browser import LOOKS, chromium_running, looking
from tests.support.json_server import json_server
from tests.support.named_region import NamedRegion, Resident, device, furnished, started
from tests.support.patience import PATIENCE
from tests.support.regions import owner
from tests.support.stepping_up import Partner, partner_of, wishes_of
from tongban.cases.v1 import item_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import sign_in_service_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]
_PASSWORD = "窗含西岭千秋雪门泊东吴"
_NOT_ENOUGH = re.compile("只用密码登录不够|A password alone is not enough")
_WITH_PASSKEY = re.compile("用通行密钥登录|Sign in with a passkey")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The processes of a region that has a name, and takes cases."""
    with started(tmp_path_factory.mktemp("step-up"), services=("identity", "cases")) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named(running: tuple[Path, str]) -> AsyncIterator[NamedRegion]:
    """The region and its office."""
    async with furnished(*running) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def partner(named: NamedRegion) -> AsyncIterator[Partner]:
    """A partner of its own for each test."""
    with json_server(lambda _path, _body: (200, {"here": True})) as back:
        async with httpx.AsyncClient(base_url=named.url, trust_env=False, timeout=PATIENCE) as http:
            yield await partner_of(named.office, http, f"{back}/stepped-up")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    expect.set_options(timeout=PATIENCE * 1000)
    async with chromium_running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module", params=LOOKS)
async def context(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser of somebody who reads Chinese at a desk, and of somebody who reads English on a phone."""
    async with looking(chromium, request.param, PATIENCE) as made:
        yield made


@dataclass
class _Journey:
    """Somebody in their browser, on the way between the partner and the region."""

    named: NamedRegion
    partner: Partner
    page: Page
    who: Resident
    folder: Path

    async def sees(self, name: str) -> None:
        """Takes a picture, on which nothing is wider than the screen."""
        await self.page.screenshot(path=self.folder / f"{name}.png", full_page=True)
        screen, card = self.page.viewport_size, await self.page.locator(".card").bounding_box()
        assert screen is not None
        assert card is not None
        assert card["x"] >= 0
        assert card["x"] + card["width"] <= screen["width"], "nothing is wider than the screen"

    async def sets_password(self) -> None:
        """Sets a password, at the page that the window opened for them."""
        kind = sign_in_service_pb2.AUTHENTICATOR_KIND_PASSWORD
        await self.page.goto(await self.named.enrollment(self.who.account, kind))
        await self.page.fill("#password", _PASSWORD)
        await self.page.fill("#again", _PASSWORD)
        await self.page.locator("form button").click()
        await expect(self.page.locator("#password")).to_have_count(0)

    async def adds_passkey(self) -> None:
        """Adds a passkey in this browser."""
        await self.page.goto(await self.named.enrollment(self.who.account))
        await self.page.fill("#name", "x")
        await self.page.locator("#passkey button").click()
        await expect(self.page.locator("#passkey")).to_have_count(0)

    async def sets_codes(self) -> pyotp.TOTP:
        """Sets one-time codes; returns the application that shows them."""
        kind = sign_in_service_pb2.AUTHENTICATOR_KIND_ONE_TIME_CODE
        await self.page.goto(await self.named.enrollment(self.who.account, kind))
        shown = pyotp.TOTP((await self.page.locator("code").inner_text()).replace(" ", ""))
        await self.page.fill("#code", shown.at(datetime.now(UTC)))
        await self.page.locator("form button").click()
        await expect(self.page.locator("#code")).to_have_count(0)
        return shown

    async def types_password(self) -> None:
        """Signs in by number and password."""
        await self.page.fill("#login", self.who.number)
        await self.page.fill("#password", _PASSWORD)
        await self.page.locator("#password-form button:not([name])").click()

    async def token(self) -> str:
        """What the partner gets, once the browser is back."""
        await self.page.wait_for_url(f"{self.partner.back}?code=**")
        return await self.partner.token(self.page.url)

    async def signed_in(self) -> str:
        """Signs in to the partner for the first time, by password; returns its token."""
        await self.page.goto(self.partner.asks())
        await self.types_password()
        return await self.token()

    async def silently(self) -> str:
        """The partner gets a token of the session that lives, and the person sees no page."""
        await self.page.goto(self.partner.asks(prompt="none"))
        return await self.token()

    async def draft(self, item: str, token: str) -> str:
        """A draft of theirs under an item."""
        party = {
            "kind": "PARTY_KIND_PERSON",
            "subject": self.who.account,
            "displayName": self.who.name,
            "document": {"typeCode": "111", "number": self.who.number},
        }
        case = {"item": item, "channel": "CHANNEL_WEB", "applicant": party}
        made = await self.partner.calls("/v1/cases", {"case": case}, token)
        assert made.status_code == 200, made.text
        return str(made.json()["name"])


@pytest_asyncio.fixture(loop_scope="module")
async def journey(named: NamedRegion, partner: Partner, context: BrowserContext, tmp_path: Path) -> _Journey:
    """Somebody who has set a password and nothing else."""
    made = _Journey(named, partner, await context.new_page(), await named.resident(), tmp_path)
    await made.sets_password()
    return made


async def _item(office: Office, number: int, **terms: Any) -> str:
    """Publishes an item with such terms; returns its name."""
    content = item_service_pb2.ItemContent(
        display_name="测试事项",
        basic_code=f"3201{number:08}",
        task_code=f"{office.uscc}43201{number:08}",
        category="市场准入",
        type=item_service_pb2.ITEM_TYPE_OTHER_POWER,
        exercise_level=item_service_pb2.EXERCISE_LEVEL_COUNTY,
        department=office.department,
        handling_kind=item_service_pb2.HANDLING_KIND_PROMISED,
        statutory_limit=working_days(20),
        promised_limit=working_days(5),
        legal_basis="《行政许可法》",
        applicant_kinds=[party_pb2.PARTY_KIND_PERSON],
        channels=[cases.CHANNEL_WEB],
        delivery_methods=[cases.DELIVERY_METHOD_DOWNLOAD],
        **terms,
    )
    region = office.gateway.using(await office.admin_token())
    drafted = item_service_pb2.CreateServiceItemRequest(
        service_item=item_service_pb2.ServiceItem(content=content), request_id=request_id()
    )
    made = await region.call(drafted, item_service_pb2.ServiceItem)
    publish = item_service_pb2.PublishServiceItemRequest(name=made.name, etag=made.etag, request_id=request_id())
    return (await region.call(publish, item_service_pb2.ServiceItem)).name


def _mandate(principal: str, agent: str) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    scope = {"allItems": True, "powers": ["MANDATE_POWER_APPLY"]}
    return {"mandate": {"principal": principal, "agent": agent, "scope": scope, "endTime": until}}


def _refused(answer: httpx.Response, status: int, reason: str) -> dict[str, str]:
    """Checks how a call was refused; returns what the partner asks for then."""
    assert (answer.status_code, answer.json()["details"][0]["reason"]) == (status, reason), answer.text
    return wishes_of(answer)


async def test_a_password_does_not_do_and_a_passkey_does(journey: _Journey) -> None:
    """The RPC asks for level 3."""
    asked = _mandate(journey.who.account, await journey.named.person())
    await device(journey.page)
    await journey.adds_passkey()
    weak = await journey.signed_in()
    wishes = _refused(await journey.partner.calls("/v1/mandates", asked, weak), 403, "ASSURANCE_TOO_LOW")
    assert wishes == {"acr_values": "3"}
    await journey.page.goto(journey.partner.asks(**wishes))
    # The session lives, but at level 2: the page comes although nobody asked for it.
    await expect(journey.page.get_by_role("button", name=_WITH_PASSKEY)).to_be_visible()
    await expect(journey.page.get_by_text(_NOT_ENOUGH)).to_be_visible()
    await journey.sees("level")
    await journey.page.get_by_role("button", name=_WITH_PASSKEY).click()
    better = await journey.token()
    served = await journey.partner.calls("/v1/mandates", asked, better)
    assert (served.status_code, served.json()["principal"]) == (200, journey.who.account), served.text
    again = await journey.partner.calls("/v1/mandates", asked, weak)
    assert again.status_code == 403, "the token of before is worth what it was"


async def test_an_item_asks_for_more_and_a_one_time_code_does(journey: _Journey) -> None:
    item = await _item(journey.named.office, 3, min_assurance=3)
    weak = await journey.signed_in()
    draft = await journey.draft(item, weak)
    submit = f"/v1/{draft}:submit"
    wishes = _refused(await journey.partner.calls(submit, {}, weak), 403, "ASSURANCE_TOO_LOW")
    assert wishes == {"acr_values": "3"}
    # Who has only a password is told so, and the partner with them: nothing of theirs reaches it.
    await journey.page.goto(journey.partner.asks(**wishes))
    await journey.types_password()
    await journey.page.wait_for_url(f"{journey.partner.back}?error=unmet_authentication_requirements**")
    codes = await journey.sets_codes()
    await journey.page.goto(journey.partner.asks(**wishes))
    await journey.types_password()
    await expect(journey.page.locator("#code")).to_be_visible()
    await journey.sees("code")
    await journey.page.fill("#code", codes.at(datetime.now(UTC), counter_offset=1))
    await journey.page.locator("form button").click()
    better = await journey.token()
    served = await journey.partner.calls(submit, {}, better)
    assert (served.status_code, served.json()["state"]) == (200, "CASE_STATE_SUBMITTED"), served.text


async def test_an_item_asks_for_a_new_sign_in_although_the_session_lives(
    journey: _Journey, running: tuple[Path, str]
) -> None:
    item = await _item(journey.named.office, 4, max_auth_age_seconds=600)
    draft = await journey.draft(item, await journey.signed_in())
    async with owner(running[0], LIUAN.code, "identity") as connection:
        statement = "UPDATE sessions SET auth_time = auth_time - interval '2 hours' WHERE person = $1"
        assert await connection.execute(statement, journey.who.account) == "UPDATE 1"
    old = await journey.silently()
    submit = f"/v1/{draft}:submit"
    wishes = _refused(await journey.partner.calls(submit, {}, old), 401, "AUTHENTICATION_TOO_OLD")
    assert wishes == {"max_age": "600"}
    assert await journey.silently(), "the session lives"
    await journey.page.goto(journey.partner.asks(**wishes))
    await expect(journey.page.locator("#login")).to_be_visible()
    await expect(journey.page.get_by_text(_NOT_ENOUGH)).to_have_count(0)
    await journey.sees("age")
    await journey.types_password()
    new = await journey.token()
    served = await journey.partner.calls(submit, {}, new)
    assert (served.status_code, served.json()["state"]) == (200, "CASE_STATE_SUBMITTED"), served.text


async def test_an_rpc_asks_for_both_one_after_the_other(journey: _Journey, running: tuple[Path, str]) -> None:
    """Who signed in by a passkey two hours ago is known well enough, and signs in anew."""
    asked = _mandate(journey.who.account, await journey.named.person())
    await device(journey.page)
    await journey.adds_passkey()
    await journey.page.goto(journey.partner.asks(acr_values="3"))
    await journey.page.get_by_role("button", name=_WITH_PASSKEY).click()
    await journey.token()
    async with owner(running[0], LIUAN.code, "identity") as connection:
        statement = "UPDATE sessions SET auth_time = auth_time - interval '2 hours' WHERE person = $1"
        assert await connection.execute(statement, journey.who.account) == "UPDATE 1"
    old = await journey.silently()
    wishes = _refused(await journey.partner.calls("/v1/mandates", asked, old), 401, "AUTHENTICATION_TOO_OLD")
    assert wishes == {"max_age": "900"}
    await journey.page.goto(journey.partner.asks(**wishes))
    await journey.types_password()
    # A password was enough for the age, and is too little for the level: the next refusal says so.
    new = await journey.token()
    wishes = _refused(await journey.partner.calls("/v1/mandates", asked, new), 403, "ASSURANCE_TOO_LOW")
    await journey.page.goto(journey.partner.asks(**wishes))
    await journey.page.get_by_role("button", name=_WITH_PASSKEY).click()
    assert (await journey.partner.calls("/v1/mandates", asked, await journey.token())).status_code == 200
