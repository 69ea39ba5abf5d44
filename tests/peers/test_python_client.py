"""The Python client in an environment of its own, installed from the page of a region that runs."""

import sys
from pathlib import Path

import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import run

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]
_CALLS = """
import asyncio, sys
from tongban_client import AsyncTongban, Bearer, Tongban
from tongban_client.errors import TongbanError

url, token, name = sys.argv[1:]
with Tongban(url, Bearer(token)) as region:
    print(region.identity.get_department(name=name).name)
with Tongban(url) as region:
    try:
        region.identity.get_department(name=name)
    except TongbanError as error:
        print(error.reason)

async def keys():
    async with AsyncTongban(url) as region:
        return (await region.identity.get_jwks()).keys
print(*{each.kty for each in asyncio.run(keys())})
"""


async def test_it_installs_from_the_regions_page_and_calls(town: Town, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    page = f"{town.office.gateway.url}/clients/"
    run(
        python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "tongban-client", "--find-links", page
    )
    (tmp_path / "calls.py").write_text(_CALLS, encoding="utf-8")
    token = await town.office.admin_token()
    said = run(
        python, "-I", tmp_path / "calls.py", town.office.gateway.url, token, town.office.department, cwd=tmp_path
    )
    assert said.split() == [town.office.department, "TOKEN_MISSING", "EC"]
