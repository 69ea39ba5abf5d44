"""The tables of webhooks, and the lists over them: what is sent where, whose turn it is, how far logs were read, what became of events."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.query import joined, of
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.webhooks.rules import Delivery, Webhook
from tongban.identity.v1 import webhook_service_pb2 as pb

BODY = Column("webhook_deliveries", "body")

webhooks = sa.Table(
    "webhooks",
    schema.METADATA,
    columns.record_id(),
    *columns.given("client"),
    columns.text("display_name"),
    *columns.given("url"),
    columns.texts("types"),
    *columns.given("signature_scheme"),
    columns.binary("secret"),
    columns.binary("old_secret", nullable=True),
    columns.moment("overlap_expire_time"),
    *columns.given("state"),
    *map(columns.text, ("suspend_reason", "suspender")),
    columns.moment("gap_time"),
    *columns.life(),
    sa.Index("webhooks_of_client", "client", "create_time", "id"),
    sa.Index("webhooks_created", "create_time", "id"),
    comment="Where clients have public events sent; secrets are encrypted.",
)
webhook_turns = sa.Table(
    "webhook_turns",
    schema.METADATA,
    sa.Column("webhook", sa.Uuid(as_uuid=False), sa.ForeignKey("webhooks.id"), primary_key=True),
    *columns.amounts("turn", "placed"),
    columns.moment("turn_time"),
    columns.moment("lease_time"),
    sa.Index("webhook_turns_due", "turn_time", postgresql_where=sa.text("turn_time IS NOT NULL")),
    comment="When each webhook is taken up next, and until when one process alone has it; how many deliveries it had.",
)
webhook_cursors = sa.Table(
    "webhook_cursors",
    schema.METADATA,
    sa.Column("webhook", sa.Uuid(as_uuid=False), sa.ForeignKey("webhooks.id"), primary_key=True),
    sa.Column("service", sa.Text, primary_key=True),
    columns.text("cursor"),
    columns.moment("start_time", nullable=False),
    comment="How far a webhook has read each service's public events; where the cursor is empty it begins at start_time.",
)
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    schema.METADATA,
    columns.record_id(),
    columns.reference("webhook", "webhooks.id"),
    *columns.given("client", "message", "type", "subject"),
    *columns.amounts("place"),
    columns.text("cursor"),
    columns.binary("body"),
    columns.moment("event_time", nullable=False),
    columns.moment("next_attempt_time"),
    *columns.given("state"),
    columns.json("attempts"),
    columns.counted("failures"),
    columns.no("once"),
    columns.moment("deliver_time"),
    *columns.life(),
    sa.Index(
        "webhook_deliveries_waiting", "webhook", "message", unique=True, postgresql_where=sa.text("state = 'WAITING'")
    ),
    sa.Index("webhook_deliveries_due", "webhook", "next_attempt_time", postgresql_where=sa.text("state = 'WAITING'")),
    sa.Index("webhook_deliveries_line", "webhook", "subject", "place", postgresql_where=sa.text("state = 'WAITING'")),
    sa.Index("webhook_deliveries_of_webhook", "webhook", "create_time", "id"),
    sa.Index("webhook_deliveries_of_client", "client", "create_time", "id"),
    sa.Index("webhook_deliveries_in_state", "state", "create_time", "id"),
    sa.Index("webhook_deliveries_created", "create_time", "id"),
    sa.Index("webhook_deliveries_old", "update_time"),
    comment="Events on their way to webhooks, or there; bodies are encrypted.",
)
of(webhooks)(Webhook)
of(webhook_deliveries)(Delivery)


@of(webhook_turns)
@dataclass(frozen=True, slots=True)
class WebhookTurn:
    """A turn that one process has: a webhook's id, the number of the turn, and until when nobody else takes it up."""

    webhook: str
    turn: int
    placed: int
    lease_time: datetime | None


@of(webhook_cursors)
@dataclass(frozen=True, slots=True)
class WebhookCursor:
    """How far a webhook has read the log of a service; where the cursor is empty it begins at ``start_time``."""

    webhook: str
    service: str
    cursor: str
    start_time: datetime


@of(joined(amount=sa.Column(type_=sa.BigInteger(), nullable=False)))
@dataclass(frozen=True, slots=True)
class WebhookCount:
    """How many there are of something."""

    amount: int


LISTED = FilteredList(
    Webhook,
    pb.ListWebhooksRequest,
    webhooks,
    {
        "client": fields.text("client"),
        "state": fields.choice("state", pb.WebhookState),
        "types": fields.texts("types"),
        "overlap_expire_time": fields.moment("overlap_expire_time", nullable=True),
        "gap_time": fields.moment("gap_time", nullable=True),
        "create_time": fields.moment("create_time"),
        "update_time": fields.moment("update_time"),
    },
    {"create_time": Order(("create_time", "id"), (Path(()), Path(("client",))))},
    "create_time desc",
)
DELIVERIES = FilteredList(
    Delivery,
    pb.ListWebhookDeliveriesRequest,
    webhook_deliveries,
    {
        "client": fields.text("client"),
        "webhook": fields.named("webhook", "webhooks"),
        "state": fields.choice("state", pb.WebhookDeliveryState),
        "type": fields.text("type"),
        "subject": fields.text("subject"),
        "event_time": fields.moment("event_time"),
        "next_attempt_time": fields.moment("next_attempt_time", nullable=True),
        "deliver_time": fields.moment("deliver_time", nullable=True),
        "create_time": fields.moment("create_time"),
        "update_time": fields.moment("update_time"),
    },
    {"create_time": Order(("create_time", "id"), (Path(()), Path(("client",)), Path(("webhook",)), Path(("state",))))},
    "create_time desc",
)
