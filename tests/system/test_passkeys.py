"""Passkeys in a real browser (Debian's Chromium) with an authenticator of its own, through the gateway of a region that has a name."""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, async_playwright, expect

from deploy.local.demo.gateway import Gateway, request_id
from deploy.local.demo.office import Office, open_office, open_person
from deploy.local.launch import Cluster
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN
from libs.ids.synthetic import SyntheticPopulation
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.client_keys import new_key, public_jwk
from tests.support.ports import free_port
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import (
    client_service_pb2,
    resources_pb2,
    sign_in_service_pb2,
    sign_in_service_pb2_grpc,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
_PARTY, _REDIRECT = "signed-in-by-passkey", "https://partner.test/here"
_ADDED = re.compile("通行密钥已添加|Your passkey is added")
_WITH_PASSKEY = re.compile("用通行密钥登录|Sign in with a passkey")
_ADD = re.compile("添加|Add")


@dataclass
class Named:
    """A region that its people reach under a name: `localhost`, which browsers take for one that is safe."""

    office: Office
    url: str
    people: SyntheticPopulation

    async def person(self) -> str:
        """Opens somebody's account."""
        found = self.people.person()
        document = common_pb2.IdentityDocument(type_code="111", number=found.citizen_id)
        draft = resources_pb2.Person(full_name=found.name, documents=[resources_pb2.HeldDocument(document=document)])
        return (await open_person(self.office.gateway, await self.office.token_of("receiving"), draft)).name

    async def enrollment(self, person: str) -> str:
        """The page at which somebody adds a passkey."""
        stub = sign_in_service_pb2_grpc.SignInServiceStub(self.office.gateway.channel)
        asked = sign_in_service_pb2.BeginEnrollmentRequest(
            request_id=request_id(), kind=sign_in_service_pb2.AUTHENTICATOR_KIND_PASSKEY
        )
        token = await self.office.token_of_person(person)
        return (await self.office.gateway.call(stub.BeginEnrollment, asked, sign_in_service_pb2.Enrollment, token)).uri

    def asked(self) -> str:
        """Where the partner sends the browser."""
        return (
            f"{self.url}/oauth/authorize?response_type=code&client_id={_PARTY}&redirect_uri={_REDIRECT}&scope=openid"
            f"&acr_values=3&prompt=login&code_challenge={'x' * 43}&code_challenge_method=S256"
        )


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Cluster, str]]:
    """The processes of a region that has a name."""
    folder, port = tmp_path_factory.mktemp("named"), free_port()
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state, url = folder / "state", f"http://localhost:{port}"
    state.mkdir()
    (state / FILE).write_text(f'[regions.{LIUAN.code}]\npublic_url = "{url}"\n', encoding="utf-8")
    with Cluster(state, (port,), services=("identity",)) as cluster:
        yield state, cluster, url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named(started: tuple[Path, Cluster, str]) -> AsyncIterator[Named]:
    """The region, and a partner that people sign in to."""
    state, _, url = started
    gateway = Gateway(LIUAN.id, LIUAN.name, url, LIUAN.code)  # by its name: what clients sign is for that
    office = await open_office(gateway, state / LIUAN.code / "credentials.json")
    client = resources_pb2.Client(
        display_name="常州通",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(new_key("party-1"))]),
        sign_in=resources_pb2.ClientSignIn(redirect_uris=[_REDIRECT]),
    )
    request = client_service_pb2.CreateClientRequest(client=client, client_id=_PARTY, request_id=request_id())
    await office.gateway.using(await office.admin_token()).call(request, resources_pb2.Client)
    yield Named(office, url, SyntheticPopulation(LIUAN.code, LIUAN.code[:2]))
    await office.gateway.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Chromium without a screen."""
    assert CHROMIUM.exists(), "Chromium is missing: apt-get install -y chromium fonts-noto-cjk"
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        await found.close()


@pytest_asyncio.fixture(
    loop_scope="module",
    params=[("zh-CN", {"width": 1280, "height": 800}), ("en", {"width": 390, "height": 844})],
    ids=["desktop", "phone"],
)
async def context(chromium: Browser, request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A browser of somebody who reads Chinese at a desk, and of somebody who reads English on a phone."""
    language, viewport = request.param
    made = await chromium.new_context(locale=language, viewport=viewport)
    made.set_default_timeout(15_000)
    # The partner is not there: where its people are sent is enough.
    await made.route(f"{_REDIRECT}**", lambda route: route.fulfill(body="here"))
    yield made
    await made.close()


async def _device(page: Page, **more: Any) -> tuple[CDPSession, str]:
    """Gives the browser a device that sees its user and keeps passkeys (CDP, domain WebAuthn)."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **more,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


async def _shot(page: Page, folder: Path, name: str) -> None:
    await page.screenshot(path=folder / f"{name}.png", full_page=True)
    screen, card = page.viewport_size, await page.locator(".card").bounding_box()
    assert screen is not None
    assert card is not None
    assert card["x"] >= 0
    assert card["x"] + card["width"] <= screen["width"], "nothing is wider than the screen"


async def test_somebody_adds_a_passkey_and_signs_in_by_it(
    named: Named, context: BrowserContext, tmp_path: Path
) -> None:
    page, faults = await context.new_page(), []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    session, device = await _device(page)
    person = await named.person()
    await page.goto(await named.enrollment(person))
    await expect(page.locator("#name")).to_be_visible()
    await _shot(page, tmp_path, "add")
    await page.fill("#name", "我的手机")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    await _shot(page, tmp_path, "added")
    held = (await session.send("WebAuthn.getCredentials", {"authenticatorId": device}))["credentials"]
    assert [(each["rpId"], each["isResidentCredential"]) for each in held] == [("localhost", True)]

    await page.goto(named.asked())
    await expect(page.get_by_role("button", name=_WITH_PASSKEY)).to_be_visible()
    await _shot(page, tmp_path, "sign-in")
    await page.get_by_role("button", name=_WITH_PASSKEY).click()
    await expect(page.get_by_role("listitem").first).to_be_visible()
    await page.locator("button[value=allow]").click()
    await page.wait_for_url(f"{_REDIRECT}**")
    assert "code=" in page.url
    assert faults == [], "the page's policy lets its own script do its work, and nothing else is tried"


async def test_who_has_none_or_is_not_seen_is_told_and_stays(
    named: Named, context: BrowserContext, tmp_path: Path
) -> None:
    page = await context.new_page()
    session, device = await _device(page)
    await page.goto(named.asked())
    await page.get_by_role("button", name=_WITH_PASSKEY).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()
    await _shot(page, tmp_path, "none")
    await expect(page.get_by_role("button", name=_WITH_PASSKEY)).to_be_enabled()
    person = await named.person()
    await page.goto(await named.enrollment(person))
    await page.fill("#name", "x")
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()
    await _shot(page, tmp_path, "not-added")
    await session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    await page.goto(await named.enrollment(person))
    await page.fill("#name", "y")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.locator("#passkey-failed")).to_be_visible()  # the device has one already


async def test_a_copy_of_a_passkey_is_refused_and_so_is_the_first_from_then_on(
    named: Named, context: BrowserContext, tmp_path: Path
) -> None:
    page = await context.new_page()
    session, device = await _device(page)
    await page.goto(await named.enrollment(await named.person()))
    await page.fill("#name", "x")
    await page.get_by_role("button", name=_ADD).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(_ADDED)
    (copy,) = (await session.send("WebAuthn.getCredentials", {"authenticatorId": device}))["credentials"]
    for taken in (True, False, False):
        await page.goto(named.asked())
        await page.get_by_role("button", name=_WITH_PASSKEY).click()
        if taken:
            await expect(page.get_by_role("listitem").first).to_be_visible()
            await session.send("WebAuthn.clearCredentials", {"authenticatorId": device})
            await session.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": copy})
        else:
            await expect(page.get_by_role("alert").first).to_be_visible()
            await _shot(page, tmp_path, "copy")
