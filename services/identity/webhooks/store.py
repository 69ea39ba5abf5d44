"""Webhooks in PostgreSQL: whose turn it is, and how far each log was read."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update
from libs.db.statement import Statement
from libs.errors import not_found
from services.identity.core.names import id_of
from services.identity.webhooks.rules import Webhook
from services.identity.webhooks.tables import WebhookCount, WebhookCursor, WebhookTurn

ADD, UPDATE = Addition(Webhook), Update(Webhook)
_FIND = Query(Webhook, "SELECT {columns} FROM webhooks WHERE id = CAST(:id AS uuid)")
# Whoever puts something in line refers to the webhook, and is not to wait for who holds it.
_LOCK = Query(Webhook, "SELECT {columns} FROM webhooks WHERE id = CAST(:id AS uuid) FOR NO KEY UPDATE")
_OF_CLIENT = Query(
    WebhookCount,
    "SELECT {columns} FROM (SELECT count(*) AS amount FROM webhooks WHERE client = :client AND state <> 'ENDED') AS held",
)
_TAKE = Query(
    WebhookTurn,
    """UPDATE webhook_turns SET turn = turn + 1, turn_time = CAST(:until AS timestamptz), lease_time = CAST(:until AS timestamptz)
    WHERE webhook = (
      SELECT webhook FROM webhook_turns WHERE turn_time <= CAST(:now AS timestamptz)
      AND (lease_time IS NULL OR lease_time <= CAST(:now AS timestamptz))
      ORDER BY turn_time LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)
_HOLD = Query(
    WebhookTurn,
    "SELECT {columns} FROM webhook_turns WHERE webhook = CAST(:webhook AS uuid) AND turn = :turn FOR UPDATE",
)
# Who was woken meanwhile stays woken.
_REST = Statement("""
UPDATE webhook_turns SET lease_time = NULL, turn_time = least(turn_time, CAST(:time AS timestamptz))
WHERE webhook = CAST(:webhook AS uuid) AND turn = :turn AND turn_time IS NOT NULL
""")
_LET_GO = Statement(
    "UPDATE webhook_turns SET lease_time = NULL WHERE webhook = CAST(:webhook AS uuid) AND lease_time = CAST(:lease AS timestamptz)"
)
_BEGIN = Statement("""
INSERT INTO webhook_turns (webhook, turn_time) VALUES (CAST(:webhook AS uuid), CAST(:time AS timestamptz))
ON CONFLICT (webhook) DO UPDATE SET turn_time = excluded.turn_time
""")
# Whose turn it is loses it: nothing more is put in line. The lease stays, for something may be on its way.
_STOP = Statement("UPDATE webhook_turns SET turn_time = NULL, turn = turn + 1 WHERE webhook = CAST(:webhook AS uuid)")
_PLACE = Query(
    WebhookTurn,
    """UPDATE webhook_turns SET placed = placed + :most,
      turn_time = CASE WHEN turn_time IS NULL THEN NULL ELSE least(turn_time, CAST(:time AS timestamptz)) END
    WHERE webhook = CAST(:webhook AS uuid) RETURNING {columns}""",
)
_CURSORS = Query(WebhookCursor, "SELECT {columns} FROM webhook_cursors WHERE webhook = CAST(:webhook AS uuid)")
_CURSOR = Query(
    WebhookCursor,
    "SELECT {columns} FROM webhook_cursors WHERE webhook = CAST(:webhook AS uuid) AND service = :service FOR UPDATE",
)
_PUT_CURSOR = Statement("""
INSERT INTO webhook_cursors (webhook, service, cursor, start_time)
VALUES (CAST(:webhook AS uuid), :service, :cursor, CAST(:start_time AS timestamptz))
ON CONFLICT (webhook, service) DO UPDATE SET cursor = excluded.cursor, start_time = excluded.start_time
""")
_ADD_CURSORS = Statement("""
INSERT INTO webhook_cursors (webhook, service, start_time)
SELECT CAST(:webhook AS uuid), service, CAST(:start_time AS timestamptz) FROM unnest(CAST(:services AS text[])) AS s (service)
ON CONFLICT (webhook, service) DO NOTHING
""")
_SET_BACK = Statement("""
UPDATE webhook_cursors SET cursor = '', start_time = CAST(:start_time AS timestamptz) WHERE webhook = CAST(:webhook AS uuid)
""")
_DROP_CURSORS = Statement("""
DELETE FROM webhook_cursors WHERE webhook = CAST(:webhook AS uuid) AND service <> ALL(CAST(:services AS text[]))
""")


async def find(connection: DatabaseConnection, name: str) -> Webhook:
    """Reads a webhook; raises NotFound."""
    return _there(await _FIND.first(connection, id=id_of(name)), name)


async def lock(connection: DatabaseConnection, name: str) -> Webhook:
    """Reads a webhook and keeps others from changing it; raises NotFound."""
    return _there(await _LOCK.first(connection, id=id_of(name)), name)


def _there(found: Webhook | None, name: str) -> Webhook:
    if found is None:
        raise not_found(name)
    return found


async def count(connection: DatabaseConnection, client: str) -> int:
    """Counts the webhooks of a client that have not ended."""
    return (await _OF_CLIENT.one(connection, client=client)).amount


async def take(connection: DatabaseConnection, now: datetime, lease: timedelta) -> WebhookTurn | None:
    """Takes up the webhook that is due first and that no other process has; until ``lease`` is over nobody else does."""
    return await _TAKE.first(connection, now=now, until=now + lease)


async def hold(connection: DatabaseConnection, turn: WebhookTurn) -> WebhookTurn | None:
    """Keeps the turn of a webhook from being taken until the transaction ends; None where another process has it."""
    return await _HOLD.first(connection, webhook=turn.webhook, turn=turn.turn)


async def rest(connection: DatabaseConnection, turn: WebhookTurn, time: datetime) -> None:
    """Ends a turn; the next one is at ``time``, or now where something woke it meanwhile, and never where it was stopped."""
    values = {"webhook": turn.webhook, "turn": turn.turn, "time": time, "lease": turn.lease_time}
    await _REST.execute(connection, values)
    await _LET_GO.execute(connection, values)


async def begin(connection: DatabaseConnection, webhook: str, now: datetime) -> None:
    """Has a webhook taken up from now on."""
    await _BEGIN.execute(connection, {"webhook": webhook, "time": now})


async def stop(connection: DatabaseConnection, webhook: str) -> None:
    """Has a webhook taken up no more; a turn under way ends with what it is sending."""
    await _STOP.execute(connection, {"webhook": webhook})


async def place(connection: DatabaseConnection, webhook: str, most: int, wake: datetime) -> int:
    """Draws ``most`` places, and has the webhook taken up at ``wake``; returns the one before them. Its line stays locked."""
    return (await _PLACE.one(connection, webhook=webhook, most=most, time=wake)).placed - most


async def cursors(connection: DatabaseConnection, webhook: str) -> list[WebhookCursor]:
    """Reads how far a webhook has read."""
    return await _CURSORS.all(connection, webhook=webhook)


async def stands(connection: DatabaseConnection, cursor: WebhookCursor) -> bool:
    """Tells whether nobody moved a cursor or set it back, and keeps others from it."""
    return await _CURSOR.first(connection, webhook=cursor.webhook, service=cursor.service) == cursor


async def put_cursor(connection: DatabaseConnection, cursor: WebhookCursor) -> None:
    """Writes how far a webhook has read a service."""
    values = {name: getattr(cursor, name) for name in ("webhook", "service", "cursor", "start_time")}
    await _PUT_CURSOR.execute(connection, values)


async def follow(connection: DatabaseConnection, webhook: str, services: Sequence[str], now: datetime) -> None:
    """Has a webhook follow these services and no others; those that it did not follow from ``now`` on."""
    values = {"webhook": webhook, "services": list(services), "start_time": now}
    await _DROP_CURSORS.execute(connection, values)
    await _ADD_CURSORS.execute(connection, values)


async def set_back(connection: DatabaseConnection, webhook: str, start: datetime) -> None:
    """Has a webhook read again what was committed at ``start`` or later."""
    await _SET_BACK.execute(connection, {"webhook": webhook, "start_time": start})
