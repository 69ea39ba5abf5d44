"""A relying party by openid-client, which the OpenID Foundation certified, through the gateway: it checks all that it is told."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import HERE, OPENID
from tests.peers.parties import PASSWORD, enrolled, registered, through, ticket_of

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_PARTY, _REDIRECT = "openid-client", "https://partner.test/callback"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder with openid-client's modules."""
    return OPENID.ready()


async def test_a_certified_client_goes_the_whole_way(town: Town, modules: Path) -> None:
    url = town.office.gateway.url
    command = (
        "node",
        HERE / "openid" / "client.mjs",
        modules,
        url,
        _PARTY,
        await registered(town, _PARTY, _REDIRECT, at_devices=True),
        _REDIRECT,
    )
    async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
        person, number = await enrolled(town, browser)
        client = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE)
        assert client.stdin is not None
        assert client.stdout is not None

        async def told(stream: asyncio.StreamReader = client.stdout) -> dict[str, Any]:
            line = await stream.readline()
            assert line, "the client ended; its words stand above"
            found: dict[str, Any] = json.loads(line)
            return found

        location = (await told())["location"]
        assert "request_uri=urn%3A" in location
        client.stdin.write(f"{await through(browser, location, number)}\n".encode())
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
        assert await client.wait() == 0
