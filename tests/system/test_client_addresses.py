"""Where a client calls from is what Envoy saw, over JSON and gRPC: no header of the caller's own changes it."""

import asyncio
import json
import uuid
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import grpc
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from deploy.local import clients_cli
from deploy.local.demo.gateway import CLIENT_ASSERTION
from deploy.local.demo.office import Office
from deploy.local.launch import Cluster
from libs.rpc import status
from tests.support.client_keys import Machine as Signer
from tests.support.client_keys import public_jwk
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.identity.v1 import client_service_pb2, client_service_pb2_grpc, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
ELSEWHERE = "203.0.113.0/24"
HERE = [*map(str, IPv4Network("0.0.0.0/0").address_exclude(IPv4Network(ELSEWHERE))), "::/0"]
"""Anywhere else: Envoy tells of a caller on its own machine the machine's address, whatever that is."""
FORGED = {"x-forwarded-for": "203.0.113.9", "x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9"}
NO = "CLIENT_ADDRESS_NOT_ALLOWED"


async def _made(office: Office, ranges: list[str]) -> tuple[Signer, resources_pb2.Client]:
    key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    name = f"m{uuid.uuid4().hex[:8]}"
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["identity.clients.get"],
        ip_ranges=ranges,
    )
    create = client_service_pb2.CreateClientRequest(client=client, client_id=name, request_id=str(uuid.uuid4()))
    made = await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    return Signer(name, key), made


async def _asked(office: Office, machine: Signer, headers: Any) -> Any:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION,
        "client_assertion": machine.sign(machine.client_id, f"{office.gateway.url}/oauth/token"),
    }
    return (await office.gateway.http.post("/oauth/token", data=form, headers=headers)).json()


async def _read(office: Office, name: str, token: str, headers: dict[str, str]) -> tuple[str, str]:
    """OK, or why not, over JSON and over gRPC."""
    given = {"authorization": f"Bearer {token}", **headers}
    answer = await office.gateway.http.get(f"/v1/{name}", headers=given)
    details = answer.json().get("details", [])
    json_reason = next((each["reason"] for each in details if "reason" in each), "OK")
    stub = client_service_pb2_grpc.ClientServiceStub(office.gateway.channel)
    try:
        await stub.GetClient(
            client_service_pb2.GetClientRequest(name=name), metadata=list(given.items()), timeout=PATIENCE
        )
    except grpc.aio.AioRpcError as error:
        return json_reason, status.from_rpc_error(error, "the gateway").reason
    return json_reason, "OK"


def _typed(state: Path, *words: str) -> Any:
    """What `./run clients` says, as a program reads it."""
    done = CliRunner().invoke(clients_cli.app, [*words, "--state", str(state)])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


async def test_an_operator_shuts_a_client_out_and_lets_it_in(
    regions: Regions, running_cluster: tuple[Path, Cluster]
) -> None:
    office, (state, _) = regions.home, running_cluster
    machine, made = await _made(office, [])
    at_home = ("--region", office.gateway.id)

    def typed(*words: str) -> Any:
        return asyncio.to_thread(_typed, state, *words, *at_home)

    assert "access_token" in await _asked(office, machine, {})
    listed = await typed("list", "--filter", "kind = CLIENT_KIND_PARTNER", "--json")
    assert made.name in {each["name"] for each in listed}
    assert (await typed("suspend", made.name, "--why", "失窃"))["state"] == "CLIENT_STATE_SUSPENDED"
    assert (await _asked(office, machine, {}))["reason"] == "CLIENT_NOT_ACTIVE"
    assert (await typed("show", made.name))["suspendReason"] == "失窃"
    assert (await typed("resume", made.name))["state"] == "CLIENT_STATE_ACTIVE"
    assert "access_token" in await _asked(office, machine, {})


async def test_envoy_says_where_a_client_calls_from(regions: Regions) -> None:
    office = regions.home
    here, made = await _made(office, HERE)
    said = await _asked(office, here, FORGED)
    assert "access_token" in said, said
    token = said["access_token"]
    assert await _read(office, made.name, token, {}) == ("OK", "OK")
    assert await _read(office, made.name, token, FORGED) == ("OK", "OK")
    # Bytes of uploads go through a process of the gateway's own, which hands on what Envoy saw.
    content = f"/content/identity/uploads/{uuid.uuid4()}"
    answer = await office.gateway.http.get(content, headers={"authorization": f"Bearer {token}", **FORGED})
    assert NO not in answer.text
    assert "PERMISSION_MISSING" in answer.text
    elsewhere, _ = await _made(office, [ELSEWHERE])
    twice = [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "203.0.113.10")]
    for headers in ({}, FORGED, {"x-forwarded-for": "203.0.113.9, 203.0.113.10"}, twice):
        assert (await _asked(office, elsewhere, headers))["reason"] == NO
    # The ranges are taken away under a token that holds: what was given before is withdrawn, and nothing new is given.
    changed = await office.gateway.http.patch(
        f"/v1/{made.name}",
        headers={"authorization": f"Bearer {await office.admin_token()}"},
        json={
            "client": {"ipRanges": [ELSEWHERE]},
            "updateMask": "ipRanges",
            "etag": made.etag,
            "requestId": str(uuid.uuid4()),
        },
    )
    assert changed.json().get("ipRanges") == [ELSEWHERE], changed.text
    assert (await _asked(office, here, FORGED))["reason"] == NO
