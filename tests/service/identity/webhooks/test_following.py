"""What is read: each service's own log, as the client would see it, and never past what is gone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from libs.errors import reasons
from libs.rpc.client import neighbour_channel
from services.identity.webhooks.following import NeighbourLogs
from services.identity.webhooks.worker import ForgottenDeliveries
from tests.service.identity.api_clients.clients import update
from tests.support import sql
from tests.support.backends import HOST
from tests.support.following import Follower
from tests.support.town import request_id
from tests.support.webhooks import SCOPES, Post, Receiver, is_signed
from tongban.identity.v1 import (
    client_service_pb2,
    consent_service_pb2,
    consent_service_pb2_grpc,
    resources_pb2,
)
from tongban.identity.v1 import webhook_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITHDRAWN = "cn.tongban.identity.consent.withdrawn.v1"


async def _withdrawn(post: Post) -> str:
    """A consent that was given and taken back."""
    home = post.town
    person = await home.person()
    consent = resources_pb2.Consent(
        subject=person,
        recipient=home.department,
        purpose_code="QUALIFICATION_CHECK",
        purpose="办理许可",
        resources=["licenses/00000000-0000-7000-8000-000000000001"],
        method=resources_pb2.CONSENT_METHOD_ONLINE,
    )
    consent.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=30))
    request = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
    stub = consent_service_pb2_grpc.ConsentServiceStub(home.service.channel)
    token = await home.human_token(person)
    given = await home.call(stub.GrantConsent, request, resources_pb2.Consent, token)
    withdraw = consent_service_pb2.WithdrawConsentRequest(name=given.name, etag=given.etag, request_id=request_id())
    return (await home.call(stub.WithdrawConsent, withdraw, resources_pb2.Consent, token)).name


def _own_logs(post: Post) -> tuple[NeighbourLogs, Any]:
    """The region's real log, at its own door, by identity's certificate."""
    config = post.town.service.process.config
    door = neighbour_channel(f"{HOST}:{config.grpc.port}", config.tls)

    def channel(service: str) -> grpc.aio.Channel:
        assert service == "identity"
        return door

    return NeighbourLogs(channel), door


async def test_the_regions_own_log_is_read_by_the_clients_rights(post: Post, receiver: Receiver) -> None:
    machine, token = await post.partner()
    webhook = await post.create(token, receiver.url, [WITHDRAWN])
    logs, door = _own_logs(post)
    worker = post.worker(logs)
    shown = await _withdrawn(post)
    await Follower(post.town.service).take_up()
    post.wall.forward(seconds=6)
    await worker.serve_all()
    (got,) = receiver.got
    assert (got.told["subject"], got.told["type"], is_signed(got, webhook.secret)) == (shown, WITHDRAWN, True)
    get = client_service_pb2.GetClientRequest(name=f"clients/{machine.client_id}")
    client = await post.town.call(post.town.clients.GetClient, get, resources_pb2.Client, await post.town.admin_token())
    await update(post.town, client, scopes=[each for each in SCOPES if each != "identity.consents.get"])
    await _withdrawn(post)
    await Follower(post.town.service).take_up()
    post.wall.forward(seconds=6)
    await worker.serve_all()
    assert len(receiver.got) == 1
    await door.close()


async def test_what_a_client_must_do_at_its_calls_is_not_asked_of_what_is_read_for_it(
    post: Post, receiver: Receiver
) -> None:
    machine, token = await post.partner()
    await post.create(token, receiver.url, [WITHDRAWN])
    get = client_service_pb2.GetClientRequest(name=f"clients/{machine.client_id}")
    client = await post.town.call(post.town.clients.GetClient, get, resources_pb2.Client, await post.town.admin_token())
    await update(
        post.town,
        client,
        sender_constraint=resources_pb2.SENDER_CONSTRAINT_DPOP,
        signed_requests=resources_pb2.SIGNED_REQUESTS_REQUIRED,
        ip_ranges=["192.0.2.0/24"],
        quota=resources_pb2.ClientQuota(per_second=1, per_day=2),
    )
    logs, door = _own_logs(post)
    worker = post.worker(logs)
    shown = []
    for _ in range(4):  # each turn asks once at least: more than the client itself may in a day
        shown.append(await _withdrawn(post))
        await Follower(post.town.service).take_up()
        post.wall.forward(seconds=6)
        await worker.serve_all()
    await door.close()
    assert [each.told["subject"] for each in receiver.got] == shown


async def test_a_service_that_is_away_is_read_later(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    told = post.logs.tell("cases/00000000-0000-7000-8000-000000000001")
    post.logs.refuse = reasons.dependency_unavailable("away", retry_after=1.0, dependency="cases")
    await post.serve()
    assert receiver.got == []
    post.logs.refuse = None
    await post.serve()
    assert receiver.ids == told


async def test_what_is_gone_is_told_and_what_is_kept_is_sent(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    await post.serve()
    post.logs.refuse = reasons.changes_cursor_expired("gone")
    post.wall.forward(minutes=2)
    await post.serve()
    post.logs.refuse = None
    (told,) = post.logs.tell("cases/00000000-0000-7000-8000-000000000001")
    await post.serve()
    read = await post.call("GetWebhook", pb.GetWebhookRequest(name=webhook.name), token)
    assert read.HasField("gap_time")
    assert read.etag != webhook.etag
    assert receiver.ids == [told]
    assert post.logs.asked[-1].cursor == "0" or post.logs.asked[-1].HasField("start_time")


async def test_a_fault_of_ours_ends_a_turn_and_gives_the_webhook_back(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    told = post.logs.tell("cases/00000000-0000-7000-8000-000000000001")
    post.logs.refuse = RuntimeError("nobody thought of this")
    with pytest.raises(RuntimeError):
        await post.serve()
    post.logs.refuse = None
    await post.serve()
    assert receiver.ids == told


async def test_deliveries_are_forgotten_five_weeks_later(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    post.logs.tell("cases/00000000-0000-7000-8000-000000000001")
    await post.serve()
    receiver.always = "500 Internal Server Error"
    post.logs.tell("cases/00000000-0000-7000-8000-000000000002")
    await post.serve()
    forgotten = ForgottenDeliveries(post.parts)
    await forgotten.turn()
    assert len(await post.deliveries(token)) == 2
    async with post.town.service.process.database.transaction() as connection:
        await sql.execute(connection, "UPDATE webhook_deliveries SET update_time = update_time - interval '36 days'")
    await forgotten.turn()
    (left,) = await post.deliveries(token)
    assert left.state == pb.WEBHOOK_DELIVERY_STATE_WAITING


async def test_what_nobody_can_tell_to_be_seen_waits_and_was_not_tried(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    receiver.always = "500 Internal Server Error"
    told = post.logs.tell("cases/00000000-0000-7000-8000-000000000001")
    await post.serve()
    receiver.always = "200 OK"
    post.wall.forward(minutes=5)
    post.logs.refuse = reasons.dependency_unavailable("away", retry_after=1.0, dependency="cases")
    await post.serve()
    (waiting,) = await post.deliveries(token)
    assert (waiting.state, len(waiting.attempts)) == (pb.WEBHOOK_DELIVERY_STATE_WAITING, 1)
    post.logs.refuse = None
    await post.serve()
    assert receiver.ids == [*told, *told]
