"""What is in line for webhooks, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update
from libs.db.statement import Statement
from libs.errors import not_found
from services.identity.core.names import id_of
from services.identity.webhooks.rules import Delivery, Webhook
from services.identity.webhooks.tables import WebhookCount

ADD, UPDATE = Addition(Delivery), Update(Delivery)
SETTLE = Update(Delivery, "state = 'WAITING'")
"""Notes what became of a delivery that waits; one that does not wait any more keeps what it was told to be meanwhile."""
_FIND_DELIVERY = Query(Delivery, "SELECT {columns} FROM webhook_deliveries WHERE id = CAST(:id AS uuid)")
_LOCK_DELIVERY = Query(Delivery, "SELECT {columns} FROM webhook_deliveries WHERE id = CAST(:id AS uuid) FOR UPDATE")
_WAITING = Statement(
    "SELECT 1 FROM webhook_deliveries WHERE webhook = CAST(:webhook AS uuid) AND message = :message AND state = 'WAITING'"
)
_BACKLOG = Query(
    WebhookCount,
    """SELECT {columns} FROM (SELECT count(*) AS amount FROM (
      SELECT 1 FROM webhook_deliveries WHERE webhook = CAST(:webhook AS uuid) AND state = 'WAITING' LIMIT :most
    ) AS line) AS found""",
)
# What waits already is not doubled, and keeps its place.
_ENQUEUE = Statement("""
INSERT INTO webhook_deliveries (id, webhook, client, message, type, subject, place, cursor, body, event_time, next_attempt_time,
  state, attempts, create_time, update_time)
SELECT CAST(id AS uuid), CAST(:webhook AS uuid), :client, message, type, subject, CAST(:placed AS bigint) + number, :cursor, body, event_time,
  CAST(:now AS timestamptz), 'WAITING', '[]', CAST(:now AS timestamptz), CAST(:now AS timestamptz)
FROM unnest(CAST(:ids AS text[]), CAST(:messages AS text[]), CAST(:types AS text[]), CAST(:subjects AS text[]),
  CAST(:bodies AS bytea[]), CAST(:times AS timestamptz[])) WITH ORDINALITY
  AS e (id, message, type, subject, body, event_time, number)
ON CONFLICT (webhook, message) WHERE state = 'WAITING' DO NOTHING
""")
_DUE = Query(
    Delivery,
    """SELECT {columns:d} FROM webhook_deliveries AS d
    WHERE d.webhook = CAST(:webhook AS uuid) AND d.state = 'WAITING' AND d.next_attempt_time <= CAST(:now AS timestamptz)
    AND NOT EXISTS (
      SELECT FROM webhook_deliveries AS e
      WHERE e.webhook = d.webhook AND e.subject = d.subject AND e.state = 'WAITING' AND e.place < d.place
    ) ORDER BY d.next_attempt_time, d.place LIMIT :most""",
)
_WITHHOLD = Statement("""
UPDATE webhook_deliveries SET state = 'WITHHELD', next_attempt_time = NULL, update_time = CAST(:now AS timestamptz), version = version + 1
WHERE webhook = CAST(:webhook AS uuid) AND state = 'WAITING'
""")
# No more than the oldest two hours' worth at once, as in libs.db.forgetting (docs/decisions/0030).
_FORGET = Statement("""
DELETE FROM webhook_deliveries WHERE id IN (
  SELECT id FROM webhook_deliveries WHERE state <> 'WAITING' AND update_time < least(CAST(:before AS timestamptz),
    (SELECT min(update_time) FROM webhook_deliveries WHERE state <> 'WAITING') + interval '2 hours')
  ORDER BY update_time LIMIT :most FOR UPDATE SKIP LOCKED
) RETURNING 1
""")


@dataclass(frozen=True, slots=True)
class Queued:
    """An event that is put in line; its body is encrypted."""

    id: str
    message: str
    type: str
    subject: str
    body: bytes
    event_time: datetime


async def delivery(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Delivery:
    """Reads a delivery; raises NotFound."""
    found = await (_LOCK_DELIVERY if lock else _FIND_DELIVERY).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def waits(connection: DatabaseConnection, webhook: str, message: str) -> bool:
    """Tells whether the same event is in line already."""
    return await _WAITING.first(connection, {"webhook": webhook, "message": message}) is not None


async def backlog(connection: DatabaseConnection, webhook: str, most: int) -> int:
    """Counts what waits for a webhook, up to ``most``."""
    return (await _BACKLOG.one(connection, webhook=webhook, most=most)).amount


async def enqueue(
    connection: DatabaseConnection, webhook: Webhook, placed: int, cursor: str, events: Sequence[Queued], now: datetime
) -> None:
    """Puts events in line behind the place ``placed``, in their order; they stood behind ``cursor``."""
    values = {
        "webhook": webhook.id,
        "client": webhook.client,
        "placed": placed,
        "cursor": cursor,
        "ids": [each.id for each in events],
        "messages": [each.message for each in events],
        "types": [each.type for each in events],
        "subjects": [each.subject for each in events],
        "bodies": [each.body for each in events],
        "times": [each.event_time for each in events],
        "now": now,
    }
    await _ENQUEUE.execute(connection, values)


async def due(connection: DatabaseConnection, webhook: str, now: datetime, most: int) -> list[Delivery]:
    """Reads what is to be sent now: of each subject the first that waits, and at most ``most``."""
    return await _DUE.all(connection, webhook=webhook, now=now, most=most)


async def withhold(connection: DatabaseConnection, webhook: str, now: datetime) -> None:
    """Sends nothing more of what waits."""
    await _WITHHOLD.execute(connection, {"webhook": webhook, "now": now})


async def forget(connection: DatabaseConnection, before: datetime, most: int) -> int:
    """Forgets at most ``most`` deliveries that were last changed before then; returns how many."""
    return len(await _FORGET.all(connection, {"before": before, "most": most}))
