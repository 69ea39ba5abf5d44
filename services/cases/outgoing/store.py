"""Messages that go out: which one's turn it is, what became of it; and lists of transfers."""

from dataclasses import dataclass
from datetime import timedelta

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from libs.sweeps.fair import DueWork, WorkFilter
from services.cases.core.outbound import MessageRow, MessageWait, transfer_messages
from services.cases.core.transfers import INBOUND, OUTBOUND, ExchangeKey, TransferRow, transfers
from tongban.cases.v1 import exchange_service_pb2 as pb

ADD = Addition(TransferRow)


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message whose turn has come, and the region that it goes to."""

    id: str
    peer_region: str


# The first message of each exchange that waits, if its time has come (a later one never overtakes it); of each region
# those that wait longest, and of all regions in turn. Nothing is counted that can't be sent now. No pause is longer than a
# minute: a time that is further ahead was written while the machine's clock was ahead, and waits for nothing.
_DUE = Query(
    DueMessage,
    """
WITH heads AS (
  SELECT DISTINCT ON (peer_region, exchange_id, direction) id, peer_region, next_attempt
  FROM transfer_messages WHERE state = 'PENDING' ORDER BY peer_region, exchange_id, direction, sequence
), due AS (
  SELECT id, peer_region, row_number() OVER (PARTITION BY peer_region ORDER BY next_attempt, id) AS place
  FROM heads
  WHERE (next_attempt <= now() OR next_attempt > now() + interval '5 minutes')
    AND CAST(id AS text) <> ALL(CAST(:busy AS text[])) AND peer_region <> ALL(CAST(:full AS text[]))
)
SELECT {columns} FROM due WHERE place <= :each ORDER BY place, id LIMIT :size
""",
)
# Counted and put off before it leaves: one that was never tried has not left, and whatever fails is not tried at once.
_PAUSE = "make_interval(secs => least(60.0, 0.25 * power(2, least({attempts}, 10))))"
# It follows the last message before it that stands: what was refused keeps its number, and the other side holds nothing of it.
_TAKE = Query(
    MessageRow,
    f"""
UPDATE transfer_messages SET attempts = attempts + 1, next_attempt = now() + {_PAUSE.format(attempts="attempts")},
  previous = coalesce((
    SELECT max(before.sequence) FROM transfer_messages AS before
    WHERE before.peer_region = transfer_messages.peer_region AND before.exchange_id = transfer_messages.exchange_id
      AND before.direction = transfer_messages.direction AND NOT before.incoming
      AND before.sequence < transfer_messages.sequence AND before.state <> 'REFUSED'
  ), 0)
WHERE id = CAST(:id AS uuid) AND state = 'PENDING' RETURNING {{columns}}
""",  # noqa: S608 - made of a text of our own
)
_LOCK = Query(MessageRow, "SELECT {columns} FROM transfer_messages WHERE id = CAST(:id AS uuid) FOR UPDATE")
_OF_MESSAGE = """
transfers.peer_region = message.peer_region AND transfers.exchange_id = message.exchange_id
  AND transfers.direction = message.direction
"""
# How long a message has waited is added up from try to try, and no try adds more than a few hours: a clock that is 400 days
# ahead once, or for good, or was behind when it began, ends nothing on its word (docs/decisions/0030).
_RETRY = Query(
    MessageWait,
    f"""
WITH message AS (
  UPDATE transfer_messages SET last_error = :error, waiting_since = coalesce(waiting_since, now()),
    waited = waited + least(greatest(now() - waited_until, interval '0'), interval '6 hours'), waited_until = now(),
    next_attempt = now() + {_PAUSE.format(attempts="attempts - 1")}
  WHERE id = CAST(:id AS uuid) AND state = 'PENDING' RETURNING *
), shown AS (
  UPDATE transfers SET waiting_reason = :error, waiting_since = message.waiting_since FROM message
  WHERE {_OF_MESSAGE} AND transfers.waiting_reason <> :error
)
SELECT {{columns}} FROM message
""",  # noqa: S608 - made of a text of our own
)
_NO_MORE_WAITING = Query(
    TransferRow,
    f"""
UPDATE transfers SET waiting_reason = '', waiting_since = NULL
FROM (SELECT peer_region, exchange_id, direction FROM transfer_messages WHERE id = CAST(:id AS uuid)) AS message
WHERE {_OF_MESSAGE} AND transfers.waiting_reason <> ''
""",  # noqa: S608 - made of a text of our own
)
_OF_EXCHANGE = "peer_region = :peer AND exchange_id = :exchange AND direction = :direction"
_END = Query(
    MessageRow,
    f"UPDATE transfer_messages SET state = 'ENDED' WHERE state = 'PENDING' AND NOT incoming AND {_OF_EXCHANGE}",  # noqa: S608 - as above
)
_PENDING = Query(
    MessageRow,
    f"""
SELECT {{columns}} FROM transfer_messages WHERE state = 'PENDING' AND NOT incoming AND {_OF_EXCHANGE}
ORDER BY sequence FOR UPDATE
""",  # noqa: S608 - as above
)
_RECEIPTED = Query(
    MessageRow, "UPDATE transfer_messages SET state = 'RECEIPTED', receipt = :receipt WHERE id = CAST(:id AS uuid)"
)
_REFUSED = Query(
    MessageRow, "UPDATE transfer_messages SET state = 'REFUSED', last_error = :error WHERE id = CAST(:id AS uuid)"
)
UNANSWERED = """
SELECT id AS key, peer_region AS party FROM transfers WHERE state = 'RECEIVED' AND direction = 'OUTBOUND'
"""
"""Applications that the other region has receipted and not answered, as a sweep looks for them."""
UNHEARD = """
SELECT id || '/' || last_applied AS key, peer_region AS party FROM transfers
WHERE state = 'ACCEPTED' AND direction = 'OUTBOUND'
  AND progress_state NOT IN ('CLOSED', 'DELIVERED', 'NOT_ACCEPTED', 'WITHDRAWN', 'TERMINATED')
"""
"""Cases that are under way in another region, by what was heard of them last."""
_TEXTS = ("exchange_id", "transaction_id", "task_code", "case_number", "department", "waiting_reason")
_REGION = "CASE direction WHEN '{}' THEN CAST(:home AS text) ELSE peer_region END"
LISTED = FilteredList(
    TransferRow,
    pb.ListCaseTransfersRequest,
    transfers,
    {
        **{name: fields.text(name) for name in _TEXTS},
        "case": fields.text("case_name"),
        "direction": fields.choice("direction", pb.TransferDirection),
        "state": fields.choice("state", pb.CaseTransferState),
        "applicant.subject": fields.text("applicant"),
        "agent.subject": fields.text("agent"),
        "receiving_region": fields.text(_REGION.format(OUTBOUND)),
        "handling_region": fields.text(_REGION.format(INBOUND)),
        "create_time": fields.moment("create_time"),
        "receive_time": fields.moment("receive_time", nullable=True),
        "acknowledge_time": fields.moment("acknowledge_time", nullable=True),
        "waiting_since_time": fields.moment("waiting_since", nullable=True),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(),
                Path(("owner_department",)),
                Path(("applicant",), "applicant <> ''"),
                Path(("agent",), "agent <> ''"),
                Path(("case_name",), "case_name <> ''", few=True),
            ),
        )
    },
    "create_time desc",
)


@dataclass(frozen=True, slots=True)
class OutboxStore:
    """Messages that go out. Methods that take a connection belong to the caller's transaction."""

    database: Database

    async def due(self, wanted: WorkFilter) -> list[DueWork]:
        """Returns messages whose turn and time have come, at most one of each exchange; the party is the region."""
        async with self.database.read() as connection:
            found = await _DUE.all(
                connection, busy=list(wanted.busy), full=list(wanted.full), each=wanted.each, size=wanted.size
            )
        return [DueWork(row.id, row.peer_region) for row in found]

    async def take(self, message_id: str) -> MessageRow | None:
        """Reads a message that is about to leave and counts the attempt; None where it waits no more."""
        async with self.database.read() as connection:
            return await _TAKE.first(connection, id=message_id)

    async def lock(self, connection: DatabaseConnection, message_id: str) -> MessageRow:
        """Reads a message that goes out and keeps others from changing it."""
        found = await _LOCK.first(connection, id=message_id)
        if found is None:
            raise not_found(f"transferMessages/{message_id}")
        return found

    async def try_later(self, message_id: str, error: str, limit: timedelta) -> bool:
        """Puts a message off, for longer each time: a quarter of a second to a minute; the transfer says why.

        Tells True where it has waited for longer than ``limit``, as far as its tries bear witness.
        """
        async with self.database.read() as connection:
            found = await _RETRY.first(connection, id=message_id, error=error)
        return found is not None and found.waited > limit

    async def pending(self, connection: DatabaseConnection, exchange: ExchangeKey) -> list[MessageRow]:
        """Reads the messages that wait, the next one first, and keeps others from sending them."""
        return await _PENDING.all(connection, **exchange.values())

    async def end(self, connection: DatabaseConnection, exchange: ExchangeKey) -> None:
        """Sends nothing more of what waits."""
        await _END.first(connection, **exchange.values())

    async def receipted(self, connection: DatabaseConnection, message_id: str, receipt: bytes) -> None:
        """Marks a message as delivered."""
        await _RECEIPTED.first(connection, id=message_id, receipt=receipt)
        await _NO_MORE_WAITING.first(connection, id=message_id)

    async def refused(self, connection: DatabaseConnection, row: MessageRow, error: str) -> None:
        """Marks a message as refused for good; it keeps its number, and those behind it follow the one before."""
        await _REFUSED.first(connection, id=row.id, error=error)
        await _NO_MORE_WAITING.first(connection, id=row.id)
