"""A partner has events sent: asked for in JSON at the gateway, brought by whichever of two replicas, signed, once."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.demo.catalogue import LicenceKind
from deploy.local.demo.office import publish_licence_type
from tests.support.regions import Regions
from tests.support.webhook_partner import received, webhook_partner
from tests.support.webhooks import Receiver, is_signed, receiving

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(480)]
PUBLISHED = "cn.tongban.license.license_type.published.v1"
PING = "cn.tongban.webhook.ping"


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A partner's receiver."""
    async with receiving() as found:
        yield found


async def test_what_a_partner_asked_for_arrives_signed(regions: Regions, receiver: Receiver) -> None:
    office = regions.handling
    token, gateway = await webhook_partner(office), office.gateway
    asked: dict[str, Any] = {"webhook": {"url": receiver.url, "types": [PUBLISHED]}, "requestId": str(uuid.uuid4())}
    webhook = await gateway.post("/v1/webhooks", asked, token)
    assert webhook["state"] == "WEBHOOK_STATE_ACTIVE"
    sent = await gateway.post(f"/v1/{webhook['name']}:ping", {"requestId": str(uuid.uuid4())}, token)
    await received(receiver, PING)
    await publish_licence_type(office, LicenceKind("198", "示范许可证", 12))
    await received(receiver, PUBLISHED)
    ping, published = receiver.got
    assert ping.id == sent["message"]
    assert [is_signed(each, webhook["secret"]) for each in (ping, published)] == [True, True]
    listed = await gateway.get("/v1/events/license/changes", token, types=PUBLISHED, pageSize="1000")
    change = next(each for each in listed["changes"] if published.id == f"license_{each['id']}")
    assert published.told == {**change, "timestamp": change["time"]}
    receipts = await gateway.get("/v1/webhookDeliveries", token)
    assert {each["state"] for each in receipts["webhookDeliveries"]} == {"WEBHOOK_DELIVERY_STATE_DELIVERED"}
    await gateway.post(f"/v1/{webhook['name']}:end", {"requestId": str(uuid.uuid4())}, token)
