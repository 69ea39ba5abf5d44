"""A partner has events sent: asked for in JSON at the gateway, brought by whichever of two replicas, signed, once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.demo.catalogue import LicenceKind
from deploy.local.demo.gateway import Gateway
from deploy.local.demo.office import publish_licence_type
from tests.support.patience import PATIENCE
from tests.support.regions import Regions
from tests.support.webhook_partner import received, webhook_partner
from tests.support.webhooks import Receiver, is_signed, receiving

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(480)]
PUBLISHED = "cn.tongban.license.license_type.published.v1"
PING = "cn.tongban.webhook.ping"
_OF_ALL = {
    "cases": ("cn.tongban.cases.calendar.imported.v1", ""),
    "license": (PUBLISHED, "license.licenseTypes.get"),
    "seal": ("cn.tongban.seal.certificate.issued.v1", "seal.certificates.get"),
    "sharing": ("cn.tongban.sharing.data_resource.published.v1", "sharing.dataResources.get"),
}
"""What each service told while the region was furnished, and what lets a client see it; empty where anybody may."""


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


def _yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).isoformat().replace("+00:00", "Z")


async def _failed_once(gateway: Gateway, token: str, webhook: str) -> None:
    """Waits until somebody tried to bring something, and nobody was there."""
    async with asyncio.timeout(PATIENCE):
        while True:
            listed = await gateway.get("/v1/webhookDeliveries", token, filter=f"webhook = {webhook}")
            if any(each.get("attempts") for each in listed.get("webhookDeliveries", [])):
                return
            await asyncio.sleep(0.2)


async def test_what_services_told_before_comes_from_their_logs_once_the_receiver_is_there(
    regions: Regions, receiver: Receiver
) -> None:
    office = regions.home
    scopes = [scope for service, (_, scope) in _OF_ALL.items() if scope and service != "license"]
    token, gateway = await webhook_partner(office, *scopes), office.gateway
    types = [kind for kind, _ in _OF_ALL.values()]
    await receiver.leave()
    asked: dict[str, Any] = {"webhook": {"url": receiver.url, "types": types}, "requestId": str(uuid.uuid4())}
    webhook = await gateway.post("/v1/webhooks", asked, token)
    again = {"startTime": _yesterday(), "requestId": str(uuid.uuid4())}
    await gateway.post(f"/v1/{webhook['name']}:replay", again, token)
    await _failed_once(gateway, token, webhook["name"])
    await receiver.listen()
    await received(receiver, *types)
    told = {each.told["source"].rpartition("/")[2] for each in receiver.got}
    assert told == set(_OF_ALL)
    assert all(is_signed(each, webhook["secret"]) for each in receiver.got)
    await gateway.post(f"/v1/{webhook['name']}:end", {"requestId": str(uuid.uuid4())}, token)
