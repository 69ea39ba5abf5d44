"""A partner that signs by http-message-signatures: the region takes what it signs, and it takes what our client signs."""

import json
import uuid
from pathlib import Path

import pytest

from libs.client.signing import RequestSigner
from tests.peers.conftest import Town
from tests.peers.fetch import HERE, run
from tests.support.client_keys import Machine, new_key, public_jwk
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = [pytest.mark.peers, pytest.mark.asyncio(loop_scope="session")]


async def _partner(town: Town) -> tuple[Machine, str]:
    """A partner that must sign, and a token of it."""
    gateway, key = town.office.gateway, new_key("peer-1")
    machine = Machine(f"p{uuid.uuid4().hex[:8]}", key)
    client = resources_pb2.Client(
        display_name="接入方",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["identity.departments.list"],
        signed_requests=resources_pb2.SIGNED_REQUESTS_REQUIRED,
    )
    create = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=str(uuid.uuid4())
    )
    await gateway.call(None, create, resources_pb2.Client, await town.office.admin_token())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": machine.sign(machine.client_id, f"{gateway.url}/oauth/token"),
    }
    return machine, str((await gateway.http.post("/oauth/token", data=form)).json()["access_token"])


async def test_both_take_what_the_other_signs(town: Town, node_modules: Path) -> None:
    machine, token = await _partner(town)
    url, body = "https://zwfw.example/v1/cases?pageSize=5&filter=a%20b", b'{"a": 1}'
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    signed = headers | RequestSigner(machine.key).headers("POST", url, headers, body)
    ours = json.dumps({"method": "POST", "url": url, "headers": signed})
    jwk = json.dumps(machine.key.as_dict(private=True))
    said = json.loads(run("node", HERE / "node" / "sign.js", node_modules, town.office.gateway.url, token, jwk, ours))
    assert said["get"] == {"changed": None, "first": "OK", "again": "SIGNATURE_REPLAYED"}
    post = said["post"]
    assert (post["changed"], post["again"]) == ("SIGNATURE_INVALID", "SIGNATURE_REPLAYED")
    assert post["first"] not in ("SIGNATURE_INVALID", "SIGNATURE_REQUIRED", "SIGNATURE_REPLAYED")
    assert (said["ours"], said["forged"]) == (True, False)
