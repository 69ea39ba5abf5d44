"""A requester of a national platform reaches a region through the adapter's own process, as a partner that signs its calls here."""

import asyncio
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from services.gateway.national_headers.scheme import signed_headers
from tests.support.client_keys import public_jwk
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.regions import Regions, redis_url
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
_SECRET, _RID, _SID = "test-app-secret", "test_rid", "s_test_sid"


async def _partner(regions: Regions, folder: Path) -> str:
    """A partner that must sign; its key lies in ``credentials.json``."""
    office, key = regions.home, ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    client = resources_pb2.Client(
        display_name="国家平台",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["identity.clients.get"],
        signed_requests=resources_pb2.SIGNED_REQUESTS_REQUIRED,
    )
    name = f"n{uuid.uuid4().hex[:8]}"
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=str(uuid.uuid4()))
    await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    own = {"client_id": name, "private_key_jwk": key.as_dict(private=True), "issuer": office.gateway.url}
    (folder / "credentials.json").write_text(json.dumps(own))
    return f"clients/{name}"


def _configured(regions: Regions, folder: Path, port: int) -> Path:
    gateway = regions.home.gateway
    (folder / "secret").write_text(_SECRET)
    (folder / "redis").write_text(redis_url(regions.state, gateway.id))
    file = folder / "national.toml"
    file.write_text(
        f"""
gateway_url = "{gateway.url}"
redis_url_file = "{folder / "redis"}"
region = {{id = "{gateway.id}", name = "六安市"}}
http = {{port = {port}}}
[[services]]
sid = "{_SID}"
rpc = "tongban.identity.v1.ClientService.GetClient"
[[requesters]]
rid = "{_RID}"
secret_file = "{folder / "secret"}"
credentials_file = "{folder / "credentials.json"}"
services = ["{_SID}"]
signs = true
""",
        encoding="utf-8",
    )
    return file


async def _asked(http: httpx.AsyncClient, body: dict[str, Any], at: int, secret: str = _SECRET) -> Any:
    headers = signed_headers("gjgxjhpt_", secret, _SID, _RID, at)
    return (await http.post("/sysapi/x", json=body, headers=headers)).json()


async def test_a_requester_is_let_in_once_a_moment(regions: Regions, tmp_path: Path) -> None:
    name, port = await _partner(regions, tmp_path), free_port()
    file = _configured(regions, tmp_path, port)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as http:
        with _running(file, tmp_path / "log") as adapter:
            await _answering(http, adapter)
            now = time.time_ns() // 1_000_000
            said = await _asked(http, {"name": name}, now)
            assert (said["code"], said["data"].get("name")) == (200, name), said
            assert said["data"]["signed_requests"] == "SIGNED_REQUESTS_REQUIRED"
            again = await _asked(http, {"name": name}, now)
            assert (again["code"], again["data"]["reason"]) == (300, "SIGNATURE_REPLAYED")
            wrong = await _asked(http, {"name": name}, now + 1, "other")
            assert (wrong["code"], wrong["data"]["reason"]) == (300, "SIGNATURE_INVALID")
            unread = await _asked(http, {"nothing": name}, now + 2)
            assert (unread["code"], unread["data"]["reason"]) == (300, "FIELD_INVALID")


@contextmanager
def _running(file: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "services.gateway.national_headers", "--config", str(file)]
    with log.open("wb") as written, subprocess.Popen(command, stdout=written, stderr=written) as adapter:
        try:
            yield adapter
        finally:
            adapter.terminate()
    assert adapter.returncode in (0, -signal.SIGTERM), log.read_text()


async def _answering(http: httpx.AsyncClient, adapter: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and adapter.poll() is None:
        try:
            await http.get("/")
        except httpx.TransportError:
            await asyncio.sleep(0.05)
        else:
            return
    pytest.fail("the adapter did not start")
