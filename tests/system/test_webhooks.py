"""A partner has events sent: asked for in JSON at the gateway, brought by whichever of two replicas, signed, once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from deploy.local.demo.catalogue import LicenceKind
from deploy.local.demo.gateway import CLIENT_ASSERTION
from deploy.local.demo.office import Office, publish_licence_type
from tests.support.client_keys import Machine, public_jwk
from tests.support.regions import Regions
from tests.support.webhooks import Receiver, is_signed, receiving
from tongban.identity.v1 import client_service_pb2, resources_pb2

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(480)]
PUBLISHED = "cn.tongban.license.license_type.published.v1"
PING = "cn.tongban.webhook.ping"
_WITHIN = 60.0


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A partner's receiver."""
    async with receiving() as found:
        yield found


async def _partner(office: Office) -> str:
    """A partner's token."""
    key = ECKey.generate_key("P-256", {"kid": "1", "alg": "ES256", "use": "sig"}, auto_kid=False)
    machine = Machine(f"m{uuid.uuid4().hex[:8]}", key)
    client = resources_pb2.Client(
        display_name="合作方",
        kind=resources_pb2.CLIENT_KIND_PARTNER,
        auth_method=resources_pb2.CLIENT_AUTH_METHOD_PRIVATE_KEY_JWT,
        jwks=resources_pb2.JsonWebKeySet(keys=[public_jwk(key)]),
        scopes=["events.changes.list", "identity.webhooks.*", "identity.webhookDeliveries.*"],
    )
    create = client_service_pb2.CreateClientRequest(
        client=client, client_id=machine.client_id, request_id=str(uuid.uuid4())
    )
    await office.gateway.call(None, create, resources_pb2.Client, await office.admin_token())
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION,
        "client_assertion": machine.sign(machine.client_id, f"{office.gateway.url}/oauth/token"),
    }
    answer = await office.gateway.http.post("/oauth/token", data=form)
    return str(answer.json()["access_token"])


async def _received(receiver: Receiver, kind: str) -> None:
    """Waits until an event of a type has come."""
    while not any(each.told["type"] == kind for each in receiver.got):
        receiver.came.clear()
        await asyncio.wait_for(receiver.came.wait(), _WITHIN)


async def test_what_a_partner_asked_for_arrives_signed(regions: Regions, receiver: Receiver) -> None:
    office = regions.handling
    token, gateway = await _partner(office), office.gateway
    asked: dict[str, Any] = {"webhook": {"url": receiver.url, "types": [PUBLISHED]}, "requestId": str(uuid.uuid4())}
    webhook = await gateway.post("/v1/webhooks", asked, token)
    assert webhook["state"] == "WEBHOOK_STATE_ACTIVE"
    sent = await gateway.post(f"/v1/{webhook['name']}:ping", {"requestId": str(uuid.uuid4())}, token)
    await _received(receiver, PING)
    await publish_licence_type(office, LicenceKind("198", "示范许可证", 12))
    await _received(receiver, PUBLISHED)
    ping, published = receiver.got
    assert ping.id == sent["message"]
    assert [is_signed(each, webhook["secret"]) for each in (ping, published)] == [True, True]
    listed = await gateway.get("/v1/events/license/changes", token, types=PUBLISHED, pageSize="1000")
    change = next(each for each in listed["changes"] if published.id == f"license_{each['id']}")
    assert published.told == {**change, "timestamp": change["time"]}
    receipts = await gateway.get("/v1/webhookDeliveries", token)
    assert {each["state"] for each in receipts["webhookDeliveries"]} == {"WEBHOOK_DELIVERY_STATE_DELIVERED"}
    await gateway.post(f"/v1/{webhook['name']}:end", {"requestId": str(uuid.uuid4())}, token)
