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
from tests.peers.parties import PASSWORD, enrollment_uri, registered, somebody, ticket_of

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_PARTY, _REDIRECT = "openid-client", "https://partner.test/callback"


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder with openid-client's modules."""
    return OPENID.ready()


async def _through(browser: httpx.AsyncClient, location: str, number: str) -> str:
    """Signs in and agrees; returns where the browser is sent."""
    page = await browser.get(location)
    signed = {"ticket": ticket_of(page), "login": number, "password": PASSWORD}
    page = await browser.post("/oauth/sign-in", data=signed)
    agreed = {"ticket": ticket_of(page), "decision": "allow"}
    answer = await browser.post("/oauth/consent", data=agreed)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def test_a_certified_client_goes_the_whole_way(town: Town, modules: Path) -> None:
    url = town.office.gateway.url
    command = (
        "node",
        HERE / "openid" / "client.mjs",
        modules,
        url,
        _PARTY,
        await registered(town, _PARTY, _REDIRECT),
        _REDIRECT,
    )
    async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
        person, number = await somebody(town)
        page = await browser.get(await enrollment_uri(town, person))
        form = {"ticket": ticket_of(page), "password": PASSWORD, "again": PASSWORD}
        assert (await browser.post("/oauth/enroll", data=form)).status_code == 200
        client = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE)
        assert client.stdin is not None
        assert client.stdout is not None
        line = await client.stdout.readline()
        assert line, "the client ended; its words stand above"
        location = json.loads(line)["location"]
        assert "request_uri=urn%3A" in location
        client.stdin.write(f"{await _through(browser, location, number)}\n".encode())
        said: dict[str, Any] = json.loads((await client.communicate())[0])
        assert client.returncode == 0
        claims = said["claims"]
        assert (claims["sub"], claims["aud"], claims["acr"], claims["amr"]) == (person, _PARTY, "2", ["pwd"])
        assert (said["user"]["sub"], bool(said["user"]["name"])) == (person, True)
        assert (said["good"]["active"], said["good"]["sub"]) == (True, person)
        assert (said["freshClaims"]["sub"], said["freshClaims"]["auth_time"]) == (person, claims["auth_time"])
        assert said["revoked"] == "invalid_grant"
        goodbye = await browser.get(said["goodbye"])
        assert (goodbye.status_code, goodbye.headers["location"]) == (303, _REDIRECT)
