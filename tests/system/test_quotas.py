"""A client's quota holds over both replicas, over JSON and gRPC, and says when to come again."""

import uuid
from typing import Any

import grpc
import pytest
from joserfc.jwk import ECKey

from deploy.local.demo.gateway import CLIENT_ASSERTION
from deploy.local.demo.office import Office
from libs.rpc import status
from tests.support.client_keys import Machine, public_jwk
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tongban.identity.v1 import client_service_pb2, client_service_pb2_grpc, resources_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")
A_DAY = 6


async def _client(office: Office, **quota: int) -> tuple[str, str]:
    """A client's name, and its token."""
    key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    machine = Machine(f"q{uuid.uuid4().hex[:8]}", key)
    client = resources_pb2.Client(
        display_name="系统",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["identity.clients.get"],
        quota=resources_pb2.ClientQuota(**quota),
    )
    create = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=str(uuid.uuid4())
    )
    made = await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION,
        "client_assertion": machine.sign(machine.client_id, f"{office.gateway.url}/oauth/token"),
    }
    return made.name, (await office.gateway.http.post("/oauth/token", data=form)).json()["access_token"]


async def _by_grpc(office: Office, name: str, headers: dict[str, str]) -> Any:
    stub = client_service_pb2_grpc.ClientServiceStub(office.gateway.channel)
    request = client_service_pb2.GetClientRequest(name=name)
    try:
        await stub.GetClient(request, metadata=list(headers.items()), timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        return status.from_rpc_error(error, "the gateway")
    return None


async def test_a_days_quota_holds_over_both_replicas_and_both_ways(regions: Regions) -> None:
    office = regions.handling
    name, token = await _client(office, per_day=A_DAY)
    headers = {"authorization": f"Bearer {token}"}
    statuses = []
    for _ in range(A_DAY // 2):
        statuses.append((await office.gateway.http.get(f"/v1/{name}", headers=headers)).status_code)
        statuses.append(200 if await _by_grpc(office, name, headers) is None else 0)
    assert statuses == [200] * A_DAY
    refused = await office.gateway.http.get(f"/v1/{name}", headers=headers)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert {each.get("reason") for each in refused.json()["details"]} & {"RATE_LIMITED"}
    over = await _by_grpc(office, name, headers)
    assert (over.reason, 0 < over.retry_after <= 86_400) == ("RATE_LIMITED", True)
    # Nobody else is held back by it.
    other, theirs = await _client(office, per_day=A_DAY)
    answer = await office.gateway.http.get(f"/v1/{other}", headers={"authorization": f"Bearer {theirs}"})
    assert answer.status_code == 200
