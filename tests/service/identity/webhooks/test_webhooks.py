"""Webhooks are their client's own: made, changed, held and ended by it, and by who administers clients."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from libs.ids.uuid7 import uuid7
from services.identity.webhooks import rules
from tests.service.identity.api_clients.clients import a_machine, make
from tests.support.refusing import OLD, asked, refused, steps
from tests.support.town import reason_of, request_id
from tests.support.webhooks import ACCEPTED, SCOPES, Post
from tongban.identity.v1 import webhook_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
URL = "https://partner.example/hook"
OF_WEBHOOKS = [each for each in steps("identity.v1.WebhookService") if each != "ResendWebhookDelivery"]


async def _step(post: Post, rpc: str, name: str, token: str, etag: str = "") -> str:
    more: dict[str, Any] = {}
    if rpc == "ReplayWebhook":
        more["start_time"] = datetime.now(UTC) - timedelta(minutes=1)
    return await refused(post.call(rpc, asked(rpc, name, etag, **more), token))


def _update(webhook: pb.Webhook, etag: str = "", **fields: Any) -> pb.UpdateWebhookRequest:
    request = pb.UpdateWebhookRequest(
        webhook=pb.Webhook(name=webhook.name, **fields), etag=etag or webhook.etag, request_id=request_id()
    )
    request.update_mask.paths.extend(sorted(fields))
    return request


async def test_a_secret_is_told_once(post: Post) -> None:
    _, token = await post.partner()
    request = pb.CreateWebhookRequest(webhook=pb.Webhook(url=URL, types=[ACCEPTED]), request_id=request_id())
    made = await post.call("CreateWebhook", request, token)
    assert made.secret.startswith("whsec_")
    repeated = await post.call("CreateWebhook", request, token)
    read = await post.call("GetWebhook", pb.GetWebhookRequest(name=made.name), token)
    assert (repeated.name, repeated.secret, read.secret) == (made.name, "", "")
    assert (read.state, read.url, list(read.types)) == (pb.WEBHOOK_STATE_ACTIVE, URL, [ACCEPTED])
    rotate = pb.RotateWebhookSecretRequest(
        name=made.name, etag=made.etag, request_id=request_id(), overlap=Duration(seconds=60)
    )
    rotated = await post.call("RotateWebhookSecret", rotate, token)
    assert rotated.secret.startswith("whsec_")
    assert rotated.secret != made.secret
    assert rotated.HasField("overlap_expire_time")
    assert (await post.call("RotateWebhookSecret", rotate, token)).secret == ""


async def test_of_ed25519_there_is_no_secret_to_tell(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL, signature_scheme=pb.WEBHOOK_SIGNATURE_SCHEME_ED25519)
    assert made.secret == ""
    assert made.public_key.startswith("whpk_")
    rotated = await post.step("RotateWebhookSecret", made.name, token, etag=made.etag)
    assert rotated.public_key not in ("", made.public_key)


async def test_a_webhook_is_found_by_nobody_elses_client(post: Post) -> None:
    _, token = await post.partner()
    _, stranger = await post.partner()
    made = await post.create(token, URL)
    sent = await post.step("PingWebhook", made.name, token)
    found = {rpc: await _step(post, rpc, made.name, stranger, made.etag) for rpc in OF_WEBHOOKS}
    assert found == dict.fromkeys(OF_WEBHOOKS, "RESOURCE_NOT_FOUND")
    for call in (
        post.call("GetWebhook", pb.GetWebhookRequest(name=made.name), stranger),
        post.call("UpdateWebhook", _update(made, url=URL), stranger),
        post.call("GetWebhookDelivery", pb.GetWebhookDeliveryRequest(name=sent.name), stranger),
        post.step("ResendWebhookDelivery", sent.name, stranger),
    ):
        assert await reason_of(call) == "RESOURCE_NOT_FOUND"
    listed = await post.call("ListWebhooks", pb.ListWebhooksRequest(), stranger)
    assert (list(listed.webhooks), await post.deliveries(stranger)) == ([], [])
    own = await post.call("ListWebhooks", pb.ListWebhooksRequest(), token)
    assert [each.name for each in own.webhooks] == [made.name]
    admin = await post.town.staff_token("administration")
    asked_for = pb.ListWebhooksRequest(filter=f'client = "{made.client}"')
    assert [each.name for each in (await post.call("ListWebhooks", asked_for, admin)).webhooks] == [made.name]


async def test_what_is_not_there_is_not_found(post: Post) -> None:
    _, token = await post.partner()
    nowhere = f"webhooks/{uuid7()}"
    found = {rpc: await _step(post, rpc, nowhere, token, OLD) for rpc in OF_WEBHOOKS}
    assert found == dict.fromkeys(OF_WEBHOOKS, "RESOURCE_NOT_FOUND")
    delivery = f"webhookDeliveries/{uuid7()}"
    assert await reason_of(post.step("ResendWebhookDelivery", delivery, token)) == "RESOURCE_NOT_FOUND"
    request = pb.GetWebhookDeliveryRequest(name=delivery)
    assert await reason_of(post.call("GetWebhookDelivery", request, token)) == "RESOURCE_NOT_FOUND"


async def test_nobody_makes_one_for_another_client(post: Post) -> None:
    _, token = await post.partner()
    other, _ = await post.partner()
    for client in (f"clients/{other.client_id}", "clients/nobody-at-all"):
        assert await reason_of(post.create(token, URL, client=client)) == "RESOURCE_NOT_FOUND"
    admin = await post.town.admin_token()
    made = await post.create(admin, URL, client=f"clients/{other.client_id}")
    assert made.client == f"clients/{other.client_id}"
    assert await reason_of(post.create(admin, URL, client="clients/nobody-at-all")) == "RESOURCE_NOT_FOUND"


async def test_who_may_not_list_changes_is_sent_none(post: Post) -> None:
    machine = a_machine()
    await make(post.town, machine, scopes=[each for each in SCOPES if each != "events.changes.list"])
    token = await post.town.machine_token(machine)
    assert await reason_of(post.create(token, URL)) == "SCOPE_NOT_GRANTED"


@pytest.mark.parametrize(
    ("url", "types", "field"),
    [
        ("https://u@partner.example/", [ACCEPTED], "webhook.url"),
        ("https://10.0.0.1/", [ACCEPTED], "webhook.url"),
        ("https://[::ffff:10.0.0.1]/", [ACCEPTED], "webhook.url"),
        (URL, [ACCEPTED, "cn.tongban.cases.case.nothing.v1"], "webhook.types[1]"),
        (URL, ["cn.tongban.identity.person.created.v1"], "webhook.types[0]"),
    ],
)
async def test_targets_and_types_are_looked_at(post: Post, url: str, types: list[str], field: str) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL)
    for call in (
        post.create(token, url, types),
        post.call("UpdateWebhook", _update(made, url=url, types=types), token),
    ):
        with pytest.raises(Exception, match="FIELD_INVALID") as refusal:
            await call
        assert [each.field for each in refusal.value.violations] == [field]  # type: ignore[attr-defined]


async def test_a_client_has_twenty_and_no_more(post: Post) -> None:
    _, token = await post.partner()
    made = [await post.create(token, URL) for _ in range(rules.MOST_WEBHOOKS)]
    assert await reason_of(post.create(token, URL)) == "TOO_MANY_WEBHOOKS"
    await post.step("EndWebhook", made[0].name, token)
    await post.create(token, URL)


async def test_no_step_is_taken_on_one_that_has_changed_or_ended(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL)
    found = {rpc: await _step(post, rpc, made.name, token, OLD) for rpc in OF_WEBHOOKS}
    assert found == dict.fromkeys(OF_WEBHOOKS, "ETAG_MISMATCH")
    assert await reason_of(post.call("UpdateWebhook", _update(made, OLD, url=URL), token)) == "ETAG_MISMATCH"
    ended = await post.step("EndWebhook", made.name, token, etag=made.etag)
    assert ended.state == pb.WEBHOOK_STATE_ENDED
    found = {rpc: await _step(post, rpc, made.name, token, ended.etag) for rpc in OF_WEBHOOKS}
    assert found == dict.fromkeys(OF_WEBHOOKS, "STATE_CONFLICT")
    assert await reason_of(post.call("UpdateWebhook", _update(ended, url=URL), token)) == "STATE_CONFLICT"


async def test_what_staff_suspended_staff_resume(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL)
    staff = await post.town.staff_token("administration")
    held = await post.step("SuspendWebhook", made.name, staff, reason="目标地址可疑")
    assert (held.state, held.suspender) == (pb.WEBHOOK_STATE_SUSPENDED, post.town.staff["administration"])
    assert await reason_of(post.step("ResumeWebhook", made.name, token)) == "NOT_OWNER"
    assert await reason_of(post.step("PingWebhook", made.name, token)) == "STATE_CONFLICT"
    resumed = await post.step("ResumeWebhook", made.name, staff)
    assert (resumed.suspender, resumed.suspend_reason) == ("", "")
    own = await post.step("SuspendWebhook", made.name, token, reason="维护")
    assert own.suspender == made.client
    assert (await post.step("ResumeWebhook", made.name, token)).state == pb.WEBHOOK_STATE_ACTIVE


async def test_an_update_changes_what_it_names(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL, display_name="一")
    changed = await post.call("UpdateWebhook", _update(made, display_name="二"), token)
    assert (changed.display_name, changed.url, list(changed.types)) == ("二", URL, [ACCEPTED])
    assert changed.etag != made.etag
    assert await reason_of(post.call("UpdateWebhook", _update(changed, types=[]), token)) == "FIELD_INVALID"


async def test_nobody_replays_what_lies_ahead(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL)
    ahead = datetime.now(UTC) + timedelta(minutes=1)
    assert await reason_of(post.step("ReplayWebhook", made.name, token, start_time=ahead)) == "FIELD_INVALID"


async def test_what_waits_is_withheld_when_a_webhook_ends(post: Post) -> None:
    _, token = await post.partner()
    made = await post.create(token, URL)
    sent = await post.step("PingWebhook", made.name, token)
    assert await reason_of(post.step("ResendWebhookDelivery", sent.name, token)) == "STATE_CONFLICT"
    assert await reason_of(post.step("ResendWebhookDelivery", sent.name, token, etag=OLD)) == "STATE_CONFLICT"
    await post.step("EndWebhook", made.name, token)
    (withheld,) = await post.deliveries(token)
    assert withheld.state == pb.WEBHOOK_DELIVERY_STATE_WITHHELD
    assert not withheld.HasField("next_attempt_time")
    assert await reason_of(post.step("ResendWebhookDelivery", sent.name, token)) == "STATE_CONFLICT"
