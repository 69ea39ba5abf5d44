"""A relying party by Authlib's client, through the gateway: a request pushed, refreshed, signed out, and told of it."""

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import AUTHLIB, HERE
from tests.peers.parties import enrolled, registered, through, told_of_logouts

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_PARTY, _REDIRECT = "authlib-client", "https://partner.test/authlib"
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture(scope="module")
def python() -> Path:
    """An interpreter that has Authlib, and nothing of ours."""
    return AUTHLIB.ready() / "venv" / "bin" / "python"


async def test_authlib_goes_the_whole_way(town: Town, python: Path) -> None:
    url = town.office.gateway.url
    key = await registered(town, _PARTY, _REDIRECT)
    command = (python, "-I", HERE / "authlib" / "client.py", url, _PARTY, key, _REDIRECT)
    async with httpx.AsyncClient(base_url=url, trust_env=False) as browser:
        person, number = await enrolled(town, browser)
        client = await asyncio.create_subprocess_exec(*map(str, command), stdin=PIPE, stdout=PIPE)
        assert client.stdin is not None
        assert client.stdout is not None

        async def said(stream: asyncio.StreamReader = client.stdout) -> dict[str, Any]:
            line = await stream.readline()
            assert line, "the client ended; its words stand above"
            found: dict[str, Any] = json.loads(line)
            return found

        first = await said()
        assert "request_uri=urn%3A" in first["location"]
        await told_of_logouts(town, _PARTY, f"http://127.0.0.1:{first['port']}/logout")
        client.stdin.write(f"{await through(browser, first['location'], number)}\n".encode())
        second = await said()
        claims = second["claims"]
        assert (claims["sub"], claims["aud"], claims["acr"], claims["amr"]) == (person, _PARTY, "2", ["pwd"])
        assert (second["user"]["sub"], bool(second["user"]["name"])) == (person, True)
        assert (second["good"]["active"], second["good"]["sub"]) == (True, person)
        assert (second["fresh"]["sub"], second["fresh"]["auth_time"]) == (person, claims["auth_time"])
        goodbye = await browser.get(second["goodbye"])
        assert (goodbye.status_code, goodbye.headers["location"]) == (303, _REDIRECT)
        third = await said()
        logout = third["logout"]
        assert (logout["sub"], logout["sid"], logout["aud"]) == (person, claims["sid"], _PARTY)
        assert logout["events"] == {_EVENT: {}}
        assert third["refused"] == "invalid_grant"
        assert await client.wait() == 0
