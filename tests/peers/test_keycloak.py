"""Keycloak's server as the provider of a province: somebody signs in there by Chromium, and is here who they proved to be there."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import open_person
from libs.ids.synthetic import SyntheticPerson
from tests.peers.fetch import KEYCLOAK
from tests.support.browser import CHROMIUM, FLAGS
from tests.support.named_region import REDIRECT, NamedRegion, furnished, started
from tests.support.ports import free_port
from tests.support.upstreams import CLAIM, described
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2
from tongban.identity.v1 import sign_in_service_pb2 as pb

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(400)]
_PROVIDERS_HERE = '[services.identity.upstreams]\nallow_http = true\nprivate_ranges = ["127.0.0.0/8", "::1/128"]\n'
_STARTS_WITHIN = 180.0
_PASSWORD = "province-2026"


def _mapper(claim: str) -> dict[str, object]:
    config = {"user.attribute": claim, "claim.name": claim, "jsonType.label": "String", "id.token.claim": "true"}
    kind = {"protocol": "openid-connect", "protocolMapper": "oidc-usermodel-attribute-mapper"}
    return {"name": claim, **kind, "config": config}


def _realm(region: NamedRegion, person: SyntheticPerson) -> dict[str, object]:
    """The province's realm: this region as a client without a secret, and somebody whose number it has seen."""
    client = {
        "clientId": "tongban-liuan",
        "clientAuthenticatorType": "client-jwt",
        "redirectUris": [f"{region.url}/oauth/upstream/*"],
        "attributes": {
            "use.jwks.url": "true",
            "jwks.url": f"{region.url}/.well-known/jwks.json",
            "token.endpoint.auth.signing.alg": "ES256",
            "pkce.code.challenge.method": "S256",
        },
        "protocolMappers": [_mapper(CLAIM), _mapper("full_name")],
    }
    user = {
        "username": "somebody",
        "enabled": True,
        "email": "somebody@province.test",
        "firstName": "S",
        "lastName": "B",
        "attributes": {CLAIM: [person.citizen_id], "full_name": [person.name]},
        "credentials": [{"type": "password", "value": _PASSWORD}],
    }
    return {"realm": "province", "enabled": True, "sslRequired": "none", "clients": [client], "users": [user]}


@contextmanager
def _keycloak(folder: Path, realm: dict[str, object]) -> Iterator[str]:
    """Runs Keycloak with a database in memory; gives the realm's issuer."""
    (home,), port = (KEYCLOAK.ready() / "server").glob("keycloak-*"), free_port()
    imported, log = home / "data" / "import" / "province-realm.json", folder / "keycloak.log"
    imported.parent.mkdir(parents=True, exist_ok=True)
    imported.write_text(json.dumps(realm), encoding="utf-8")
    options = (f"--http-port={port}", "--http-host=127.0.0.1", "--db=dev-mem", "--import-realm", "--cache=local")
    with log.open("wb") as out:
        command = [str(home / "bin" / "kc.sh"), "start-dev", *options]
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            issuer = f"http://127.0.0.1:{port}/realms/province"
            _wait(server, issuer, log)
            yield issuer
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)
            imported.unlink()


def _wait(server: "subprocess.Popen[bytes]", issuer: str, log: Path) -> None:
    end = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        try:
            with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text(encoding="utf-8")[-3000:])


async def _believed(region: NamedRegion, issuer: str) -> pb.Upstream:
    """Enters it and has two people stand behind it. Keycloak says `1` in `acr` of who has just signed in, and `0` of who had before."""
    words = [resources_pb2.AssuranceName(value="1", assurance=2)]
    upstream = described(issuer, full_name_claim="full_name", assurance_names=words, max_assurance=2, scopes=[])
    office, made = region.office, pb.Upstream()
    propose = pb.ProposeUpstreamRequest(upstream=upstream, request_id=request_id())
    made = await office.gateway.using(await office.token_of("administration")).call(propose, pb.Upstream)
    approve = pb.ApproveUpstreamRequest(name=made.name, etag=made.etag, request_id=request_id())
    return await office.gateway.using(await office.token_of("administration2")).call(approve, pb.Upstream)


async def _account(region: NamedRegion, person: SyntheticPerson) -> str:
    document = common_pb2.IdentityDocument(type_code="111", number=person.citizen_id)
    draft = resources_pb2.Person(full_name=person.name, documents=[resources_pb2.HeldDocument(document=document)])
    return (await open_person(region.office.gateway, await region.office.token_of("receiving"), draft)).name


async def test_who_signed_in_at_keycloak_is_signed_in_here(tmp_path: Path) -> None:
    with started(tmp_path, _PROVIDERS_HERE) as running:
        async with furnished(*running) as region:
            somebody = region.people.person()
            account = await _account(region, somebody)
            with _keycloak(tmp_path, _realm(region, somebody)) as issuer:
                assert (await _believed(region, issuer)).state == pb.UPSTREAM_STATE_ACTIVE
                async with async_playwright() as playwright:
                    chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                    context = await chromium.new_context(locale="zh-CN", viewport={"width": 900, "height": 1000})
                    page = await context.new_page()
                    await page.route("https://partner.test/**", lambda route: route.fulfill(body="here"))
                    await page.goto(region.asked().replace("acr_values=3&prompt=login", "acr_values=2"))
                    await page.screenshot(path=tmp_path / "offered.png", full_page=True)
                    await page.get_by_text("用“安徽省统一身份认证平台”登录").click()
                    await page.fill("#username", "somebody")
                    await page.fill("#password", _PASSWORD)
                    await page.screenshot(path=tmp_path / "there.png", full_page=True)
                    await page.click("#kc-login")
                    await expect(page.locator("button[value=allow]")).to_be_visible()
                    await page.screenshot(path=tmp_path / "back.png", full_page=True)
                    await page.click("button[value=allow]")
                    await page.wait_for_url(f"{REDIRECT}**")
                    assert "code=" in page.url
                    await chromium.close()
            token = await region.office.token_of_person(account)
            answer = await region.office.gateway.using(token).call(
                pb.ListAccountLinksRequest(), pb.ListAccountLinksResponse
            )
            assert [each.state for each in answer.account_links] == [pb.ACCOUNT_LINK_STATE_ACTIVE]
