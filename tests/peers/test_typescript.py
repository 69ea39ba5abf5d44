"""A partner's client in TypeScript: its types come from the region's OpenAPI document, and its calls are what the types say."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from tests.peers.conftest import Town
from tests.peers.fetch import HERE, TYPESCRIPT, run

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]


async def test_the_document_makes_a_client_that_type_checks_and_runs(town: Town, tmp_path: Path) -> None:
    modules = TYPESCRIPT.ready() / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    for name in ("partner.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / "typescript" / name, tmp_path)
    async with httpx.AsyncClient(trust_env=False) as client:
        document = await client.get(f"{town.office.gateway.url}/openapi.json")
    (tmp_path / "openapi.json").write_bytes(document.content)
    binaries = modules / ".bin"
    run(binaries / "openapi-typescript", "openapi.json", "-o", "api.d.ts", cwd=tmp_path)
    run(binaries / "tsc", "-p", ".", cwd=tmp_path)
    token, department = await town.office.admin_token(), town.office.department
    told = run("node", "out/partner.js", town.office.gateway.url, token, department, cwd=tmp_path)
    assert json.loads(told) == {
        "department": department,
        "refused": [401, "TOKEN_MISSING"],
        "standing": "STANDING_UNKNOWN",
        "misspelt": [400, "FIELD_INVALID"],
    }
