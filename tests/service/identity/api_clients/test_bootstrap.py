"""The first start makes an administrator, once."""

import json
import os
import stat
from pathlib import Path

import pytest

from services.identity.api_clients.bootstrap import ClientFounding, NotWritten
from tests.support.service import Ground
from tests.support.town import Town, town


def _again(there: Town) -> ClientFounding:
    """What the next start does."""
    process = there.service.process
    return ClientFounding(process.uow, process.database, there.base, there.base, there.credentials)


async def test_the_file_says_all_that_a_client_needs(ground: Ground, tmp_path: Path) -> None:
    async with town(ground, tmp_path) as there:
        content = json.loads(there.credentials.read_text(encoding="utf-8"))
        assert content["client_id"] == "administrator"
        assert content["token_endpoint"] == f"{there.base}/oauth/token"
        assert content["issuer"] == content["gateway"] == there.base
        assert {"kty", "crv", "x", "y", "d", "kid"} <= content["private_key_jwk"].keys()
        assert stat.S_IMODE(there.credentials.stat().st_mode) == 0o600
        assert os.listdir(tmp_path) == ["341500.json"]

        before = there.credentials.read_bytes()
        await _again(there).ensure()
        assert there.credentials.read_bytes() == before
        await there.admin_token()


async def test_a_lost_or_foreign_file_means_a_new_key_for_the_same_client(ground: Ground, tmp_path: Path) -> None:
    async with town(ground, tmp_path) as there:
        for content in (None, "{}", '{"private_key_jwk": {"kid": "another"}}'):
            old = there.admin
            there.credentials.unlink()
            if content is not None:
                there.credentials.write_text(content, encoding="utf-8")
            await _again(there).ensure()
            there.admin = there.machine_of_file()
            await there.admin_token()
            refused = await there.post(grant_type="client_credentials", **there.client_form(old))
            assert refused.status_code == 401


async def test_what_can_not_be_written_is_not_committed(ground: Ground, tmp_path: Path) -> None:
    async with town(ground, tmp_path) as there:
        there.credentials.unlink()
        process = there.service.process
        nowhere = ClientFounding(
            process.uow, process.database, there.base, there.base, tmp_path / "missing" / "file.json"
        )
        with pytest.raises(NotWritten, match="missing"):
            await nowhere.ensure()
        await there.admin_token()
