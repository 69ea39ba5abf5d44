"""A relying party by openid-client, which the OpenID Foundation certified, through the gateway: it checks all that it is told."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import HERE, OPENID
from tests.peers.parties import PASSWORD, certified, enrolled, registered, through, ticket_of
from tests.support.partner_certificates import PartnersDoor

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
Tell = Callable[[str], None]
Told = Callable[[], Awaitable[dict[str, Any]]]
_PARTY, _REDIRECT = "openid-client", "https://partner.test/callback"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder with openid-client's modules."""
    return OPENID.ready()


@asynccontextmanager
async def _client(script: str, *arguments: object) -> AsyncIterator[tuple[Tell, Told]]:
    """Runs a client; yields how it is told something, and what reads the next that it tells."""
    command = ("node", HERE / "openid" / script, *arguments)
    client = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE)
    assert client.stdin is not None
    assert client.stdout is not None
    written, read = client.stdin, client.stdout

    def tell(line: str) -> None:
        written.write(f"{line}\n".encode())

    async def told() -> dict[str, Any]:
        line = await read.readline()
        assert line, "the client ended; its words stand above"
        found: dict[str, Any] = json.loads(line)
        return found

    yield tell, told
    assert await client.wait() == 0


async def test_a_client_that_proves_a_key_goes_the_whole_way(town: Town, modules: Path) -> None:
    """DPoP at the pushed request, for the code, to refresh and at an API; who has another key gets nothing."""
    url, name = town.office.gateway.url, "openid-bound"
    own = await registered(town, name, _REDIRECT, "identity.departments.list", bound=True)
    arguments = (modules, url, name, own, _REDIRECT, f"{url}/v1/departments?pageSize=5")
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False) as browser,
        _client("bound.mjs", *arguments) as (tell, told),
    ):
        person, number = await enrolled(town, browser)
        location = (await told())["location"]
        tell(await through(browser, location, number))
        said = await told()
    assert (said["claims"]["sub"], said["user"]["sub"]) == (person, person)
    assert (said["strangers"], said["unproven"]) == ("invalid_dpop_proof", "invalid_dpop_proof")
    assert (said["called"], said["copied"], said["rsa"]) == (200, 401, 200)
    assert said["bearer"] == {"status": 401, "challenge": 'DPoP error="invalid_dpop_proof", algs="ES256 PS256"'}
    assert [each.lower() for each in said["types"]] == ["dpop"] * 3
    assert said["good"]["active"] is True
    assert (said["good"]["token_type"], list(said["good"]["cnf"])) == ("DPoP", ["jkt"])


async def test_a_certified_client_goes_the_whole_way(town: Town, modules: Path) -> None:
    url = town.office.gateway.url
    own = await registered(town, _PARTY, _REDIRECT, at_devices=True)
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False) as browser,
        _client("client.mjs", modules, url, _PARTY, own, _REDIRECT) as (tell, told),
    ):
        person, number = await enrolled(town, browser)
        location = (await told())["location"]
        assert "request_uri=urn%3A" in location
        tell(await through(browser, location, number))
        said = await told()
        claims = said["claims"]
        assert (claims["sub"], claims["aud"], claims["acr"], claims["amr"]) == (person, _PARTY, "2", ["pwd"])
        assert (said["user"]["sub"], bool(said["user"]["name"])) == (person, True)
        assert (said["good"]["active"], said["good"]["sub"]) == (True, person)
        assert (said["freshClaims"]["sub"], said["freshClaims"]["auth_time"]) == (person, claims["auth_time"])
        assert said["revoked"] == "invalid_grant"
        goodbye = await browser.get(said["goodbye"])
        assert (goodbye.status_code, goodbye.headers["location"]) == (303, _REDIRECT)
        page = await browser.post("/oauth/device", data={"user_code": (await told())["device"]["user_code"]})
        signed = {"ticket": ticket_of(page), "login": number, "password": PASSWORD}
        page = await browser.post("/oauth/sign-in", data=signed)
        assert "1号机" in page.text
        answer = await browser.post("/oauth/consent", data={"ticket": ticket_of(page), "decision": "allow"})
        assert answer.headers["location"] == "/oauth/device/allowed"
        at_device = await told()
        assert (at_device["claims"]["sub"], at_device["refreshed"]["sub"]) == (person, person)


async def test_a_client_that_comes_with_a_certificate_finds_its_way(
    town: Town, modules: Path, partners_door: PartnersDoor
) -> None:
    """By the aliases that the region publishes; without the certificate neither it nor who copied its token gets anything (RFC 8705)."""
    url, name, held = town.office.gateway.url, "openid-certified", partners_door.signer.sign("openid-certified")
    await certified(town, name, held.der, "identity.departments.list")
    certificate, key = held.files(partners_door.folder, name)
    root = partners_door.folder / "root.pem"
    arguments = (modules, url, name, certificate, key, root, "/v1/departments?pageSize=5")
    async with _client("certified.mjs", *arguments) as (_, told):
        said = await told()
    assert (said["partners"], said["type"].lower()) == (partners_door.url, "bearer")
    assert (said["good"]["active"], list(said["good"]["cnf"])) == (True, ["x5t#S256"])
    assert said["without"] == "invalid_client"
    assert said["own"]["status"] == 200
    refused = {"status": 401, "challenge": 'Bearer realm="tongban", error="invalid_token"'}
    assert (said["bare"], said["plain"]) == (refused, refused)
