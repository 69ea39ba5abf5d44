"""Events are brought to receivers: signed, in the order of each thing, again where they were not taken, and lost never."""

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from prometheus_client import REGISTRY

from services.identity.webhooks import store, worker
from services.identity.webhooks.counting import CountedDeliveries
from tests.service.identity.api_clients.clients import suspend
from tests.support import sql
from tests.support.refusing import OLD
from tests.support.town import reason_of, request_id
from tests.support.webhooks import ACCEPTED, DECIDED, Post, Receiver, is_signed
from tongban.identity.v1 import webhook_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _case(number: int) -> str:
    return f"cases/00000000-0000-7000-8000-{number:012}"


async def test_an_event_arrives_signed_as_the_standard_says(post: Post, receiver: Receiver) -> None:
    machine, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    assert webhook.client == f"clients/{machine.client_id}"
    (message,) = post.logs.tell(_case(1))
    await post.serve()
    (got,) = receiver.got
    assert got.id == message
    assert is_signed(got, webhook.secret)
    assert not is_signed(got, "whsec_" + "A" * 43 + "=")
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert abs(int(got.headers["webhook-timestamp"]) - post.wall.now().timestamp()) < 60
    assert got.told["type"] == ACCEPTED
    assert got.told["timestamp"] == got.told["time"] == "2026-03-02T01:00:00Z"
    assert got.told["data"] == {
        "@type": "type.googleapis.com/tongban.cases.v1.CaseAccepted",
        "case": {"name": _case(1)},
    }
    (receipt,) = await post.deliveries(token)
    assert (receipt.message, receipt.subject, receipt.state) == (
        message,
        _case(1),
        pb.WEBHOOK_DELIVERY_STATE_DELIVERED,
    )
    assert [each.status_code for each in receipt.attempts] == [204]
    assert receipt.deliver_time.seconds >= receipt.attempts[0].attempt_time.seconds


async def test_a_receiver_that_is_away_for_300_seconds_loses_nothing(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    await receiver.leave()
    told = post.logs.tell(*(_case(number % 319) for number in range(1_276)))
    for _ in range(12):
        post.wall.forward(seconds=19)
        await post.serve()
    assert receiver.got == []
    await receiver.listen()
    for _ in range(3):
        await post.serve()
        post.wall.forward(seconds=300)
    assert sorted(receiver.ids) == sorted(told)
    by_case = defaultdict(list)
    for each in receiver.took():
        by_case[each["subject"]].append(each["sequence"])
    assert len(by_case) == 319
    assert all(numbers == sorted(numbers) and len(numbers) == 4 for numbers in by_case.values())
    states = [each.state for each in await post.deliveries(token, f"webhook = {webhook.name}")]
    assert states == [pb.WEBHOOK_DELIVERY_STATE_DELIVERED] * 1_276


async def test_what_nobody_takes_is_tried_by_the_schedule_and_is_dead_then(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    receiver.always = "500 Internal Server Error"
    post.logs.tell(_case(1))
    await post.serve()
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400):
        (waiting,) = await post.deliveries(token)
        last = waiting.attempts[-1].attempt_time.ToDatetime()
        due = waiting.next_attempt_time.ToDatetime() - last
        assert round(due.total_seconds()) == seconds
        post.wall.forward(seconds=seconds)
        await post.serve()
    (dead,) = await post.deliveries(token, "state = WEBHOOK_DELIVERY_STATE_DEAD")
    assert [each.failure for each in dead.attempts] == [pb.WEBHOOK_FAILURE_STATUS] * 10
    assert len(receiver.got) == 10
    assert len(set(receiver.ids)) == 1
    post.wall.forward(days=3)
    await post.serve()
    assert len(receiver.got) == 10


async def test_an_operator_sees_dead_letters_and_sends_them_again(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    receiver.always = "404 Not Found"
    post.logs.tell(_case(1))
    await post.serve()
    await _kill(post, webhook)
    operator = await post.town.staff_token("administration")
    waiting, others = await _counted(post)
    assert others >= 1
    (dead,) = await post.deliveries(operator, f"state = WEBHOOK_DELIVERY_STATE_DEAD AND webhook = {webhook.name}")
    assert await post.call("GetWebhookDelivery", pb.GetWebhookDeliveryRequest(name=dead.name), operator) == dead
    receiver.always = "200 OK"
    assert await reason_of(post.step("ResendWebhookDelivery", dead.name, operator, etag=OLD)) == "ETAG_MISMATCH"
    await post.step("ResendWebhookDelivery", dead.name, operator, etag=dead.etag)
    assert await _counted(post) == (waiting + 1, others - 1)
    await post.serve()
    assert await _counted(post) == (waiting, others - 1)
    assert receiver.ids == [dead.message] * 2
    assert (await post.deliveries(token))[0].state == pb.WEBHOOK_DELIVERY_STATE_DELIVERED
    assert await reason_of(post.step("ResendWebhookDelivery", dead.name, operator)) == "STATE_CONFLICT"


async def _counted(post: Post) -> tuple[float, ...]:
    """How many deliveries wait, and how many are dead, as whoever watches the region reads it."""
    await CountedDeliveries(post.town.service.process.database).turn()
    names = ("tongban_webhook_deliveries_waiting", "tongban_webhook_deliveries_dead")
    return tuple(REGISTRY.get_sample_value(name) or 0.0 for name in names)


async def _kill(post: Post, webhook: pb.Webhook) -> None:
    """Has no attempt left of what waits."""
    async with post.town.service.process.database.transaction() as connection:
        await sql.execute(
            connection,
            "UPDATE webhook_deliveries SET state = 'DEAD', next_attempt_time = NULL"
            f" WHERE webhook = '{webhook.name[9:]}'",
        )


async def test_what_fails_holds_up_its_own_thing_and_no_other(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    first, other = post.logs.tell(_case(1), _case(2))
    (second,) = post.logs.tell(_case(1))
    receiver.answers = ["500 Internal Server Error", "500 Internal Server Error"]
    await post.worker().serve_all()
    assert sorted(receiver.ids) == sorted([first, other])
    receiver.got.clear()
    await post.serve()
    assert receiver.ids.index(first) < receiver.ids.index(second)
    assert sorted(receiver.ids) == sorted([first, other, second])


async def test_a_receiver_says_when_to_come_again(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    receiver.answers = ["429 Too Many Requests|retry-after: 600\r\n"]
    post.logs.tell(_case(1))
    await post.serve()
    (waiting,) = await post.deliveries(token)
    assert waiting.next_attempt_time.seconds - waiting.attempts[0].attempt_time.seconds in (600, 601)


async def test_who_is_gone_is_left_alone_until_resumed(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    receiver.answers = ["410 Gone"]
    told = post.logs.tell(_case(1))
    await post.serve()
    read = await post.call("GetWebhook", pb.GetWebhookRequest(name=webhook.name), token)
    assert (read.state, read.suspender) == (pb.WEBHOOK_STATE_SUSPENDED, "services/identity")
    told += post.logs.tell(_case(2))
    post.wall.forward(days=1)
    await post.serve()
    assert receiver.ids == told[:1]
    resumed = await post.step("ResumeWebhook", webhook.name, token, etag=read.etag)
    assert resumed.state == pb.WEBHOOK_STATE_ACTIVE
    await post.serve()
    assert sorted(receiver.ids) == sorted([told[0], *told])


async def test_redirects_are_not_followed(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    receiver.always = f"302 Found|location: {receiver.url}\r\n"
    post.logs.tell(_case(1))
    await post.serve()
    assert len(receiver.got) == 1
    (waiting,) = await post.deliveries(token)
    assert [(each.status_code, each.failure) for each in waiting.attempts] == [(302, pb.WEBHOOK_FAILURE_STATUS)]


async def test_what_the_client_may_see_no_more_is_not_sent(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    receiver.always = "500 Internal Server Error"
    _, shown = post.logs.tell(_case(1), _case(2))
    await post.serve()
    receiver.always, post.logs.hidden = "200 OK", {_case(1)}
    receiver.got.clear()
    post.wall.forward(minutes=10)
    await post.serve()
    assert receiver.ids == [shown]
    assert [each.state for each in await post.deliveries(token, f"subject = {_case(1)}")] == [
        pb.WEBHOOK_DELIVERY_STATE_WITHHELD
    ]


async def test_nothing_is_sent_for_a_client_that_is_shut_out(post: Post, receiver: Receiver) -> None:
    machine, token = await post.partner()
    await post.create(token, receiver.url)
    await suspend(post.town, f"clients/{machine.client_id}")
    post.logs.tell(_case(1))
    await post.serve()
    assert (receiver.got, post.logs.asked) == ([], [])


async def test_only_types_that_were_asked_for_are_sent(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    (wanted,) = post.logs.tell(_case(1))
    post.logs.tell(_case(1), kind=DECIDED)
    await post.serve()
    assert receiver.ids == [wanted]
    request = pb.UpdateWebhookRequest(
        webhook=pb.Webhook(name=webhook.name, types=[DECIDED]), etag=webhook.etag, request_id=request_id()
    )
    request.update_mask.paths.append("types")
    await post.call("UpdateWebhook", request, token)
    (later,) = post.logs.tell(_case(2), kind=DECIDED)
    post.logs.tell(_case(2))
    await post.serve()
    assert receiver.ids == [wanted, later]


async def test_a_replay_sends_again_under_the_same_ids(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    told = post.logs.tell(_case(1), _case(1), _case(2))
    await post.serve()
    since = datetime.now(UTC)
    await post.step("ReplayWebhook", webhook.name, token, start_time=since)
    await post.serve()
    assert sorted(receiver.ids) == sorted([*told, *told])
    assert [each.told["sequence"] for each in receiver.got[3:] if each.told["subject"] == _case(1)] == [
        "000000000000000",
        "000000000000001",
    ]
    start = next(each.start_time for each in reversed(post.logs.asked) if each.HasField("start_time"))
    assert abs(start.ToDatetime().timestamp() - since.replace(tzinfo=None).timestamp()) < 1


async def test_a_ping_is_sent_at_once_and_once(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    receiver.always = "503 Service Unavailable"
    sent = await post.step("PingWebhook", webhook.name, token)
    await post.serve()
    post.wall.forward(days=1)
    await post.serve()
    (got,) = receiver.got
    assert (got.id, got.told["type"], is_signed(got, webhook.secret)) == (sent.message, "cn.tongban.webhook.ping", True)
    read = await post.call("GetWebhookDelivery", pb.GetWebhookDeliveryRequest(name=sent.name), token)
    assert read.state == pb.WEBHOOK_DELIVERY_STATE_DEAD
    assert json.loads(got.body)["data"] == {}


async def test_two_replicas_send_nothing_twice(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    told = post.logs.tell(*(_case(number) for number in range(60)))
    receiver.slowly = 0.01
    post.wall.forward(seconds=1)
    await asyncio.gather(*(post.worker().serve_all() for _ in range(4)))
    assert sorted(receiver.ids) == sorted(told)
    assert receiver.most <= worker.AT_ONCE


async def test_a_process_that_dies_behind_the_sending_sends_once_more_under_the_same_id(
    post: Post, receiver: Receiver
) -> None:
    _, token = await post.partner()
    await post.create(token, receiver.url)
    (message,) = post.logs.tell(_case(1))
    post.wall.forward(seconds=1)
    await _die_behind_the_sending(post)
    assert receiver.ids == [message]
    await post.serve()
    assert receiver.ids == [message]  # whoever died may be sending still
    post.wall.ahead += worker.LEASE
    await post.serve()
    assert receiver.ids == [message, message]


async def _die_behind_the_sending(post: Post) -> None:
    doomed = post.worker()

    async def never(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.WebhookRound, "_settle", never)
        patch.setattr(store, "rest", never)
        with pytest.raises(asyncio.CancelledError):
            await doomed.serve_all()


async def test_an_overlap_signs_by_both_secrets_and_no_longer(post: Post, receiver: Receiver) -> None:
    _, token = await post.partner()
    webhook = await post.create(token, receiver.url)
    overlap = Duration(seconds=3600)
    rotated = await post.step("RotateWebhookSecret", webhook.name, token, etag=webhook.etag, overlap=overlap)
    post.logs.tell(_case(1))
    await post.serve()
    assert [is_signed(receiver.got[0], each.secret) for each in (webhook, rotated)] == [True, True]
    post.wall.ahead += timedelta(seconds=3700)
    post.logs.tell(_case(2))
    await post.serve()
    assert [is_signed(receiver.got[1], each.secret) for each in (webhook, rotated)] == [False, True]
