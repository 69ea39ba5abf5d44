"""WebhookService: having events sent, and changing where; deliveries stand in ``deliveries``.

Webhooks live by the machine's clock, as the logs that they follow do.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from libs.access.actor import Actor
from libs.db.command import Command, command_of
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.leader import turn
from libs.db.uow import Transaction
from libs.errors import invalid_field, not_found, state_conflict
from libs.lists.listing import Scope
from libs.rpc.call import Call
from libs.rpc.messages import moment_of, timestamp
from libs.rpc.patches import patch_of
from services.identity.config import Webhooks
from services.identity.core import clients
from services.identity.core.parts import Parts
from services.identity.core.reached import ranges
from services.identity.core.scopes import check_covered
from services.identity.webhooks import line, rules, signing, store
from services.identity.webhooks.convert import (
    delivery_message,
    new_webhook,
    ping,
    public_types,
    webhook_message,
)
from services.identity.webhooks.rules import Webhook, WebhookState
from services.identity.webhooks.tables import DELIVERIES, LISTED
from tongban.identity.v1 import events_pb2 as events
from tongban.identity.v1 import webhook_service_pb2 as pb

_LISTING = "events.changes.list"
"""The permission by which a client is told of changes, whether it asks or is sent them."""
_ALL = "identity.clients.list"
Made = tuple[pb.Webhook, str]
"""A webhook as it is told, and its new secret."""
Work = Callable[[Transaction, Webhook], Awaitable[Webhook]]


class WebhookApi:
    """Keeps webhooks."""

    def __init__(self, parts: Parts, config: Webhooks) -> None:
        self._parts = parts
        self._config = config

    async def create_webhook(self, request: pb.CreateWebhookRequest, call: Call) -> pb.Webhook:
        """Makes a webhook; its secret stands in the first answer only."""
        asked, parts = request.webhook, self._parts
        client = asked.client or call.actor.subject
        check_reach(call.actor, client, client)
        self._check(asked)
        secret = signing.make_secret()

        async def work(tx: Transaction) -> Made:
            await turn(tx.connection, f"identity:webhooks:{client}")
            held = await clients.client(tx.connection, client)
            check_covered(held.scopes, [_LISTING])
            rules.check_number(await store.count(tx.connection, client), client)
            row = new_webhook(asked, client, secret, parts.cipher, tx.now)
            await store.ADD.add(tx.connection, row)
            now = parts.wall.now()
            await store.begin(tx.connection, row.id, now)
            await store.follow(tx.connection, row.id, row.services, now)
            tx.emit(row.name, events.WebhookCreated(webhook=row.name, client=client))
            return webhook_message(row, parts.cipher, now), signing.secret_text(row.signature_scheme, secret)

        return await self._answer(command_of(request, call=call), work)

    def _check(self, asked: pb.Webhook) -> None:
        rules.check_target(asked.url, allow_http=self._config.allow_http, allowed=ranges(self._config.private_ranges))
        rules.check_types(asked.types, public_types())

    async def _answer(self, command: Command, work: Callable[[Transaction], Awaitable[Made]]) -> pb.Webhook:
        """Runs ``work`` and adds the secret to its own answer: the stored answer, and so a repeated one, has none."""
        made: list[Made] = []

        async def remembered(tx: Transaction) -> pb.Webhook:
            made.append(await work(tx))
            return made[-1][0]

        answer = await self._parts.uow.run(command, remembered)
        if made and answer is made[-1][0]:
            answer.secret = made[-1][1]
        return answer

    async def get_webhook(self, request: pb.GetWebhookRequest, call: Call) -> pb.Webhook:
        """Gets a webhook, without its secret."""
        async with self._parts.database.read() as connection:
            row = await store.find(connection, request.name)
        check_reach(call.actor, row.client, request.name)
        return webhook_message(row, self._parts.cipher, self._parts.wall.now())

    async def list_webhooks(self, request: pb.ListWebhooksRequest, call: Call) -> pb.ListWebhooksResponse:
        """Lists webhooks; a client its own."""
        parts, now = self._parts, self._parts.wall.now()
        async with parts.database.read() as connection:
            shown, token = await LISTED.page(connection, parts.pages, request, _scopes(call.actor))
        return pb.ListWebhooksResponse(
            webhooks=[webhook_message(row, parts.cipher, now) for row in shown], next_page_token=token
        )

    async def update_webhook(self, request: pb.UpdateWebhookRequest, call: Call) -> pb.Webhook:
        """Changes a webhook by the mask."""
        patch, parts = patch_of(request, pb.Webhook), self._parts

        async def work(tx: Transaction) -> pb.Webhook:
            row = await _locked(tx.connection, patch.name, request.etag, call.actor)
            rules.check_not_ended(row)
            now = parts.wall.now()
            wanted = patch.over(webhook_message(row, parts.cipher, now))
            self._check(wanted)
            row = await store.UPDATE.one(
                tx.connection,
                row.id,
                display_name=wanted.display_name,
                url=wanted.url,
                types=tuple(wanted.types),
                update_time=tx.now,
            )
            await store.follow(tx.connection, row.id, row.services, now)
            tx.emit(row.name, events.WebhookUpdated(webhook=row.name, client=row.client))
            return webhook_message(row, parts.cipher, now)

        return await parts.uow.run(command_of(request, call=call), work)

    async def suspend_webhook(self, request: pb.SuspendWebhookRequest, call: Call) -> pb.Webhook:
        """Holds a webhook."""

        async def work(tx: Transaction, row: Webhook) -> Webhook:
            rules.check_is(row, WebhookState.ACTIVE)
            await store.stop(tx.connection, row.id)
            tx.emit(row.name, events.WebhookSuspended(webhook=row.name, client=row.client))
            changes = {"suspend_reason": request.reason, "suspender": call.actor.subject}
            return await _changed(tx, row, state=WebhookState.SUSPENDED, **changes)

        return await self._change(request, call, work)

    async def resume_webhook(self, request: pb.ResumeWebhookRequest, call: Call) -> pb.Webhook:
        """Lets a webhook go on."""

        async def work(tx: Transaction, row: Webhook) -> Webhook:
            rules.check_is(row, WebhookState.SUSPENDED)
            rules.check_resumer(row, call.actor.subject)
            await store.begin(tx.connection, row.id, self._parts.wall.now())
            tx.emit(row.name, events.WebhookResumed(webhook=row.name, client=row.client))
            return await _changed(tx, row, state=WebhookState.ACTIVE, suspend_reason="", suspender="")

        return await self._change(request, call, work)

    async def end_webhook(self, request: pb.EndWebhookRequest, call: Call) -> pb.Webhook:
        """Ends a webhook, and withholds what waits."""

        async def work(tx: Transaction, row: Webhook) -> Webhook:
            rules.check_not_ended(row)
            await store.stop(tx.connection, row.id)
            await line.withhold(tx.connection, row.id, self._parts.wall.now())
            tx.emit(row.name, events.WebhookEnded(webhook=row.name, client=row.client))
            return await _changed(tx, row, state=WebhookState.ENDED, old_secret=None, overlap_expire_time=None)

        return await self._change(request, call, work)

    async def rotate_webhook_secret(self, request: pb.RotateWebhookSecretRequest, call: Call) -> pb.Webhook:
        """Gives a webhook a new secret."""
        parts, secret, overlap = self._parts, signing.make_secret(), request.overlap.ToTimedelta()

        async def work(tx: Transaction) -> Made:
            row = await _locked(tx.connection, request.name, request.etag, call.actor)
            rules.check_not_ended(row)
            made = {"secret": parts.cipher.encrypt(signing.SECRET, row.id, secret), **self._overlap(row, overlap)}
            row = await _changed(tx, row, **made)
            tx.emit(row.name, events.WebhookRotated(webhook=row.name, client=row.client))
            message = webhook_message(row, parts.cipher, parts.wall.now())
            return message, signing.secret_text(row.signature_scheme, secret)

        return await self._answer(command_of(request, call=call), work)

    def _overlap(self, row: Webhook, overlap: timedelta) -> dict[str, Any]:
        """What stays of the secret before: nothing, or all of it until the overlap is over."""
        if not overlap:
            return {"old_secret": None, "overlap_expire_time": None}
        return {"old_secret": row.secret, "overlap_expire_time": self._parts.wall.now() + overlap}

    async def replay_webhook(self, request: pb.ReplayWebhookRequest, call: Call) -> pb.Webhook:
        """Tells a webhook anew of what happened since a time."""
        start, now = moment_of(request.start_time, "start_time"), self._parts.wall.now()
        if start > now:
            raise invalid_field("start_time", "past", "lies behind now")

        async def work(tx: Transaction, row: Webhook) -> Webhook:
            rules.check_not_ended(row)
            # The line first, as the worker has it.
            await store.place(tx.connection, row.id, 0, now)
            await store.set_back(tx.connection, row.id, start)
            told = events.WebhookReplayed(webhook=row.name, client=row.client, start_time=timestamp(start))
            tx.emit(row.name, told)
            return row

        return await self._change(request, call, work)

    async def _change(self, request: Any, call: Call, work: Work) -> pb.Webhook:
        """Changes a webhook that the caller reaches, in a transaction."""
        parts = self._parts

        async def locked(tx: Transaction) -> pb.Webhook:
            row = await _locked(tx.connection, request.name, request.etag, call.actor)
            return webhook_message(await work(tx, row), parts.cipher, parts.wall.now())

        return await parts.uow.run(command_of(request, call=call), locked)


class WebhookDeliveryApi:
    """Tells what became of deliveries, and has them sent again."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def ping_webhook(self, request: pb.PingWebhookRequest, call: Call) -> pb.WebhookDelivery:
        """Puts a delivery in line that tells of nothing."""
        parts = self._parts

        async def work(tx: Transaction) -> pb.WebhookDelivery:
            row = await _locked(tx.connection, request.name, request.etag, call.actor)
            rules.check_is(row, WebhookState.ACTIVE)
            now = parts.wall.now()
            placed = await store.place(tx.connection, row.id, 1, now)
            return delivery_message(await line.ADD.add(tx.connection, ping(row, placed, parts.cipher, now)))

        return await parts.uow.run(command_of(request, call=call), work)

    async def get_webhook_delivery(self, request: pb.GetWebhookDeliveryRequest, call: Call) -> pb.WebhookDelivery:
        """Gets a delivery."""
        async with self._parts.database.read() as connection:
            row = await line.delivery(connection, request.name)
        check_reach(call.actor, row.client, request.name)
        return delivery_message(row)

    async def list_webhook_deliveries(
        self, request: pb.ListWebhookDeliveriesRequest, call: Call
    ) -> pb.ListWebhookDeliveriesResponse:
        """Lists deliveries; a client those of its own webhooks."""
        parts = self._parts
        async with parts.database.read() as connection:
            shown, token = await DELIVERIES.page(connection, parts.pages, request, _scopes(call.actor))
        return pb.ListWebhookDeliveriesResponse(
            webhook_deliveries=[delivery_message(row) for row in shown], next_page_token=token
        )

    async def resend_webhook_delivery(self, request: pb.ResendWebhookDeliveryRequest, call: Call) -> pb.WebhookDelivery:
        """Puts a delivery in line again that is DEAD."""
        parts = self._parts

        async def work(tx: Transaction) -> pb.WebhookDelivery:
            seen = await line.delivery(tx.connection, request.name)
            check_reach(call.actor, seen.client, request.name)
            # In the order in which all others lock them: the webhook, its line, what stands in it.
            rules.check_not_ended(await store.lock(tx.connection, f"webhooks/{seen.webhook}"))
            now = parts.wall.now()
            await store.place(tx.connection, seen.webhook, 0, now)
            row = await line.delivery(tx.connection, request.name, lock=True)
            rules.check_dead(row)
            check_etag(request.name, row.version, request.etag)
            if await line.waits(tx.connection, row.webhook, row.message):
                raise state_conflict(row.name, rules.DeliveryState.WAITING, rules.DeliveryState.DEAD)
            again = {"state": rules.DeliveryState.WAITING, "failures": 0, "once": False, "next_attempt_time": now}
            return delivery_message(await line.UPDATE.one(tx.connection, row.id, **again, update_time=now))

        return await parts.uow.run(command_of(request, call=call), work)


def check_reach(actor: Actor, client: str, name: str) -> None:
    """Lets a client at its own, and at others' only who may list all clients; raises NotFound of ``name``."""
    if actor.subject != client and not actor.may(_ALL):
        raise not_found(name)


def _scopes(actor: Actor) -> list[Scope]:
    return [Scope({}) if actor.may(_ALL) else Scope({"client": actor.subject})]


async def _locked(connection: DatabaseConnection, name: str, etag: str, actor: Actor) -> Webhook:
    """Reads a webhook that the caller reaches and keeps others from changing it; raises NotFound, ETAG_MISMATCH."""
    row = await store.lock(connection, name)
    check_reach(actor, row.client, name)
    check_etag(name, row.version, etag)
    return row


async def _changed(tx: Transaction, row: Webhook, **changes: Any) -> Webhook:
    return await store.UPDATE.one(tx.connection, row.id, **changes, update_time=tx.now)
