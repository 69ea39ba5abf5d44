"""Brings events to webhooks: reads on in each service's log as the client would, and sends what is due, in order.

One process at a time has a webhook, for a turn: it takes it up by a lease, which outlives whatever a turn may take and a minute by which
clocks may differ. A process that dies leaves the turn to whoever takes it up when the lease is over; an event that it had just sent, and
not noted yet, is sent once more under the same id.
"""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from libs.background import forever
from libs.db.command import Command
from libs.db.uow import Transaction, derived_request_id
from libs.errors import FailedPrecondition, PermissionDenied, TongbanError
from libs.observability.logs import logger
from libs.rpc.messages import timestamp
from services.identity.core.client_tokens import token_of
from services.identity.core.clients import client as read_client
from services.identity.core.parts import Parts
from services.identity.webhooks import line, rules, signing, store
from services.identity.webhooks.convert import attempt, queued
from services.identity.webhooks.following import ChangeLogs
from services.identity.webhooks.rules import Delivery, DeliveryState, SendAnswer, Webhook, WebhookFailure, WebhookState
from services.identity.webhooks.sending import WebhookSender
from services.identity.webhooks.tables import BODY, WebhookCursor, WebhookTurn
from tongban.events.v1 import change_service_pb2 as changes_pb
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import webhook_service_pb2 as pb

_log = logger(__name__)
_SELF = "services/identity"
LANES = 8
"""So many webhooks one process serves at the same time."""
AT_ONCE = 8
"""So many deliveries it sends to one at the same time."""
PAGE = 200
PAGES = 20
MOST_WAITING = 10_000
"""Where so much waits, no more is read: the logs keep it for 35 days."""
LEASE = timedelta(seconds=180)
TURN_SECONDS = 60.0
_LOOK_SECONDS = 2.0
PAUSE = timedelta(seconds=5)
"""Until then a receiver that can't be reached is left alone."""
_WITHOUT_CLIENT = timedelta(seconds=60)
_JUDGED_FOR = timedelta(seconds=60)
"""For so long what the client was seen to see counts; after that it is asked again."""
_WRITTEN_FOR = timedelta(seconds=60)
_MARGIN = timedelta(hours=1)
_KEPT = timedelta(days=35)
_FORGET_SECONDS = 3600.0
_FORGET_AT_ONCE = 1_000
_AWAY = frozenset(
    {WebhookFailure.UNREACHABLE, WebhookFailure.TIMEOUT, WebhookFailure.CERTIFICATE, WebhookFailure.ADDRESS}
)


class WebhookWorker:
    """Serves the webhooks of the region, beside the workers of other replicas."""

    def __init__(self, parts: Parts, logs: ChangeLogs, sender: WebhookSender, poll_seconds: float) -> None:
        self._parts = parts
        self._logs = logs
        self._sender = sender
        self._poll = timedelta(seconds=poll_seconds)

    async def run(self) -> None:
        """Serves for ever, on several lanes: a receiver that hangs holds up one of them, for a turn."""
        await asyncio.gather(*(forever("webhooks", self._lane, 0.0) for _ in range(LANES)))

    async def _lane(self) -> None:
        await self.serve_all()
        await asyncio.sleep(_LOOK_SECONDS)

    async def serve_all(self) -> None:
        """Gives a turn to each webhook that is due."""
        while (turn := await self._take()) is not None:
            await self.serve(turn)

    async def _take(self) -> WebhookTurn | None:
        async with self._parts.database.read() as connection:
            return await store.take(connection, self._parts.wall.now(), LEASE)

    async def serve(self, turn: WebhookTurn) -> None:
        """Serves one webhook for a turn; whatever happens in it, the next one comes."""
        again = None
        try:
            again = await WebhookRound(self._parts, self._logs, self._sender, turn).serve()
        finally:
            again = self._poll if again is None else again
            async with self._parts.database.transaction() as connection:
                await store.rest(connection, turn, self._parts.wall.now() + again)


class WebhookRound:
    """One turn of one webhook."""

    def __init__(self, parts: Parts, logs: ChangeLogs, sender: WebhookSender, turn: WebhookTurn) -> None:
        self._parts = parts
        self._logs = logs
        self._sender = sender
        self._turn = turn
        self._end = time.monotonic() + TURN_SECONDS
        self._seen: dict[str, bool] = {}
        self._token = ""

    async def serve(self) -> timedelta | None:
        """Reads on, and sends; returns how long to wait, where it is not as long as ever."""
        async with self._parts.database.read() as connection:
            webhook = await store.find(connection, f"webhooks/{self._turn.webhook}")
            client = await read_client(connection, webhook.client)
        try:
            self._token = token_of(self._parts, client)
        except PermissionDenied:
            return _WITHOUT_CLIENT
        await self._follow(webhook)
        return await self._deliver()

    async def _follow(self, webhook: Webhook) -> None:
        async with self._parts.database.read() as connection:
            cursors = await store.cursors(connection, webhook.id)
        for cursor in cursors:
            try:
                await self._read_on(webhook, cursor)
            except TongbanError as error:
                # What is away is read later; what is there goes on.
                _log.warning("no changes for a webhook", webhook=webhook.name, to=cursor.service, reason=error.reason)

    async def _read_on(self, webhook: Webhook, cursor: WebhookCursor) -> None:
        for _ in range(PAGES):
            if await self._is_full(webhook):
                return
            page = await self._page(webhook, cursor)
            if page is None:
                cursor = await self._begin_again(webhook, cursor)
                continue
            moved = replace(cursor, cursor=page.next_cursor, start_time=self._parts.wall.now())
            if _moves(cursor, moved, page) and not await self._put_in_line(webhook, cursor, moved, page.changes):
                return
            if page.at_end:
                return
            cursor = moved

    async def _page(self, webhook: Webhook, cursor: WebhookCursor) -> changes_pb.ListChangesResponse | None:
        """Asks what stands behind a cursor; None where that place is not kept any more."""
        request = changes_pb.ListChangesRequest(
            service=cursor.service,
            types=[each for each in webhook.types if rules.service_of(each) == cursor.service],
            page_size=PAGE,
            cursor=cursor.cursor,
            start_time=None if cursor.cursor else timestamp(cursor.start_time),
        )
        try:
            return await self._logs.changes(self._token, request)
        except FailedPrecondition as error:
            if error.reason != "CHANGES_CURSOR_EXPIRED":
                raise
            return None

    async def _is_full(self, webhook: Webhook) -> bool:
        async with self._parts.database.read() as connection:
            return await line.backlog(connection, webhook.id, MOST_WAITING) >= MOST_WAITING

    async def _put_in_line(
        self, webhook: Webhook, before: WebhookCursor, moved: WebhookCursor, changes: Sequence[changes_pb.Change]
    ) -> bool:
        """Puts changes in line and moves the cursor, both or neither; tells whether the turn was still ours."""
        made = [queued(each, moved.service, self._parts.cipher) for each in changes]
        now = self._parts.wall.now()
        async with self._parts.database.transaction() as connection:
            if await store.hold(connection, self._turn) is None or not await store.stands(connection, before):
                return False
            if made:
                placed = await store.place(connection, webhook.id, len(made), now + LEASE)
                await line.enqueue(connection, webhook, placed, before.cursor, made, now)
            await store.put_cursor(connection, moved)
        return True

    async def _begin_again(self, webhook: Webhook, cursor: WebhookCursor) -> WebhookCursor:
        """Begins where the cursor was last good, or with the oldest that is kept; and says that something may be missing."""
        begun = replace(cursor, cursor="", start_time=cursor.start_time - _MARGIN)

        async def work(tx: Transaction) -> None:
            row = await store.lock(tx.connection, webhook.name)
            await store.put_cursor(tx.connection, begun)
            await store.UPDATE.one(tx.connection, row.id, gap_time=self._parts.wall.now(), update_time=tx.now)
            tx.record(row.name)
            tx.emit(row.name, events.WebhookUpdated(webhook=row.name, client=row.client))

        await self._parts.uow.step(_step("gap", webhook, self._turn), work)
        return begun

    async def _deliver(self) -> timedelta | None:
        while time.monotonic() < self._end:
            now = self._parts.wall.now()
            async with self._parts.database.read() as connection:
                webhook = await store.find(connection, f"webhooks/{self._turn.webhook}")
                if webhook.state is not WebhookState.ACTIVE:
                    return None
                found = await line.due(connection, webhook.id, now, AT_ONCE)
            if not found:
                return None
            answers = await _all(*(self._send(webhook, each, now) for each in found))
            if any(each.status == rules.GONE for each in answers):
                await self._suspend(webhook)
                return None
            if any(each.failure in _AWAY or each.wait for each in answers):
                return max(PAUSE, *(min(each.wait, LEASE) for each in answers))
        return timedelta()

    async def _send(self, webhook: Webhook, delivery: Delivery, now: datetime) -> SendAnswer:
        try:
            seen = await self._is_seen(delivery, now)
        except TongbanError:
            # Who would know is away: it waits, and this was no attempt.
            return SendAnswer(wait=PAUSE)
        if not seen:
            await self._settle(delivery, state=DeliveryState.WITHHELD, next_attempt_time=None)
            return SendAnswer()
        body = self._parts.cipher.decrypt(BODY, delivery.id, delivery.body)
        sent = self._parts.wall.now()
        headers = signing.headers(webhook, self._parts.cipher, delivery.message, sent, body)
        answer = await self._sender.send(webhook.url, headers, body)
        answered = self._parts.wall.now()
        step = rules.after(delivery, answer, answered)
        await self._settle(
            delivery,
            state=step.state,
            failures=step.failures,
            next_attempt_time=step.attempt_time,
            deliver_time=answered if step.state is DeliveryState.DELIVERED else None,
            attempts=rules.kept(delivery.attempts, attempt(answer, sent)),
        )
        return answer

    async def _settle(self, delivery: Delivery, **changes: object) -> None:
        # One statement, which is a transaction by itself.
        async with self._parts.database.read() as connection:
            await line.SETTLE.first(connection, delivery.id, **changes, update_time=self._parts.wall.now())

    async def _is_seen(self, delivery: Delivery, now: datetime) -> bool:
        """Whether the client may see what the delivery tells of: as it was read where that was just now, else asked again."""
        if delivery.once or now - delivery.create_time <= _JUDGED_FOR:
            return True
        if delivery.subject not in self._seen:
            request = changes_pb.ListChangesRequest(
                service=rules.service_of(delivery.type), cursor=delivery.cursor, subject=delivery.subject, page_size=1
            )
            try:
                page = await self._logs.changes(self._token, request)
            except (FailedPrecondition, PermissionDenied):
                self._seen[delivery.subject] = False
            else:
                self._seen[delivery.subject] = bool(page.changes)
        return self._seen[delivery.subject]

    async def _suspend(self, webhook: Webhook) -> None:
        """Holds a webhook whose receiver is gone."""

        async def work(tx: Transaction) -> None:
            row = await store.lock(tx.connection, webhook.name)
            if row.state is not WebhookState.ACTIVE:
                return
            changes = {
                "state": WebhookState.SUSPENDED,
                "suspender": _SELF,
                "suspend_reason": "the receiver answered 410",
            }
            await store.UPDATE.one(tx.connection, row.id, **changes, update_time=tx.now)
            await store.stop(tx.connection, row.id)
            tx.record(row.name)
            tx.emit(row.name, events.WebhookSuspended(webhook=row.name, client=row.client))

        await self._parts.uow.step(_step("gone", webhook, self._turn), work)


class ForgottenDeliveries:
    """Forgets deliveries of which there is nothing more to tell."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Forgets for ever, once an hour; replicas don't wait for one another."""
        await forever("forgotten deliveries", self.turn, _FORGET_SECONDS)

    async def turn(self) -> None:
        """Forgets what is due."""
        forgotten = _FORGET_AT_ONCE
        while forgotten == _FORGET_AT_ONCE:
            async with self._parts.database.read() as connection:
                forgotten = await line.forget(connection, self._parts.wall.now() - _KEPT, _FORGET_AT_ONCE)


async def _all(*sending: Awaitable[SendAnswer]) -> list[SendAnswer]:
    """Returns the answers once all have come, or raises then: nothing is on its way any more when a turn ends."""
    found = await asyncio.gather(*sending, return_exceptions=True)
    answers = [each for each in found if isinstance(each, SendAnswer)]
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return answers


def _moves(before: WebhookCursor, moved: WebhookCursor, page: changes_pb.ListChangesResponse) -> bool:
    """Whether it is worth writing how far was read: what nothing came of is read once more instead, for a while."""
    return (
        bool(page.changes)
        or not page.at_end
        or not before.cursor
        or moved.start_time - before.start_time > _WRITTEN_FOR
    )


def _step(what: str, webhook: Webhook, turn: WebhookTurn) -> Command:
    return Command(
        caller=_SELF,
        method=f"webhooks:{what}",
        request_id=derived_request_id(f"webhook-{what}", webhook.id, str(turn.turn)),
        digest=webhook.name.encode(),
        response_type=pb.Webhook,
        actor=_SELF,
    )
