"""Exchanges with other regions in PostgreSQL: each side's view of them, and their messages both ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.envelope import Column, FieldCipher
from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.sweeps.fair import Due, Wanted
from services.cases.domain.transfers import Inbox
from services.cases.tables import transfer_messages, transfers
from tongban.cases.v1 import exchange_service_pb2 as pb

SEALED = Column("transfers", "sealed")
DELEGATION = Column("transfers", "delegation")
MESSAGE = Column("transfer_messages", "sealed")
ACKNOWLEDGEMENT = "acknowledgement"
"""The payload name of an acknowledgement, which has no place in the exchange's numbering and goes first."""

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_OF_EXCHANGE = sa.select(transfers).where(
    transfers.c.peer_region == sa.bindparam("peer"),
    transfers.c.exchange_id == sa.bindparam("exchange"),
    transfers.c.direction == sa.bindparam("direction"),
)
_OF_CASE = sa.select(transfers).where(
    transfers.c.case_name == sa.bindparam(rows.KEY), transfers.c.case_name != "", transfers.c.direction == "OUTBOUND"
)
_INCOMING = (
    sa.select(transfer_messages)
    .where(
        transfer_messages.c.peer_region == sa.bindparam("peer"),
        transfer_messages.c.exchange_id == sa.bindparam("exchange"),
        transfer_messages.c.direction == sa.bindparam("direction"),
        transfer_messages.c.incoming,
    )
    .order_by("sequence")
)
_APPLIED = sa.text("UPDATE transfer_messages SET state = 'APPLIED' WHERE id = :id")
_QUEUE = sa.text("""
WITH exchange AS (
  UPDATE transfers SET last_sent = last_sent + :count, version = version + 1, update_time = :now WHERE id = :transfer
  RETURNING last_sent, peer_region, exchange_id, direction
)
INSERT INTO transfer_messages
  (id, exchange_id, direction, peer_region, incoming, sequence, payload, sealed, state, create_time)
SELECT CAST(:id AS uuid), exchange_id, direction, peer_region, false,
  CASE WHEN :count = 0 THEN 0 ELSE last_sent END, :payload, CAST(:sealed AS bytea), 'PENDING',
  CAST(:now AS timestamptz)
FROM exchange
""").bindparams(sa.bindparam("count", type_=sa.Integer))
# The first message of each exchange that waits, if its time has come (a later one never overtakes it); of each region
# those that wait longest, and of all regions in turn. Nothing is counted that can't be sent now. No pause is longer than a
# minute: a time that is further ahead was written while the machine's clock was ahead, and waits for nothing.
_DUE = sa.text("""
WITH heads AS (
  SELECT DISTINCT ON (peer_region, exchange_id, direction) id, peer_region, next_attempt
  FROM transfer_messages WHERE state = 'PENDING' ORDER BY peer_region, exchange_id, direction, sequence
), due AS (
  SELECT id, peer_region, row_number() OVER (PARTITION BY peer_region ORDER BY next_attempt, id) AS place
  FROM heads
  WHERE (next_attempt <= now() OR next_attempt > now() + interval '5 minutes') AND CAST(id AS text) <> ALL(:busy) AND peer_region <> ALL(:full)
)
SELECT id, peer_region FROM due WHERE place <= :each ORDER BY place, id LIMIT :size
""").bindparams(*(sa.bindparam(name, type_=sa.ARRAY(sa.Text)) for name in ("busy", "full")))
# Counted and put off before it leaves: one that was never tried has not left, and whatever fails is not tried at once.
_PAUSE = "make_interval(secs => least(60.0, 0.25 * power(2, least({attempts}, 10))))"
_TAKE = sa.text(f"""
UPDATE transfer_messages SET attempts = attempts + 1, next_attempt = now() + {_PAUSE.format(attempts="attempts")}
WHERE id = :id AND state = 'PENDING' RETURNING *
""").columns(*transfer_messages.columns)  # noqa: S608 - made of a text of our own
_OF_MESSAGE = """
transfers.peer_region = message.peer_region AND transfers.exchange_id = message.exchange_id
  AND transfers.direction = message.direction
"""
# How long a message has waited is added up from try to try, and no try adds more than a few hours: a clock that is 400 days
# ahead once, or for good, or was behind when it began, ends nothing on its word (docs/decisions/0030).
_RETRY = sa.text(f"""
WITH message AS (
  UPDATE transfer_messages SET last_error = :error, waiting_since = coalesce(waiting_since, now()),
    waited = waited + least(greatest(now() - waited_until, interval '0'), interval '6 hours'), waited_until = now(),
    next_attempt = now() + {_PAUSE.format(attempts="attempts - 1")}
  WHERE id = :id AND state = 'PENDING' RETURNING *
), shown AS (
  UPDATE transfers SET waiting_reason = :error, waiting_since = message.waiting_since FROM message
  WHERE {_OF_MESSAGE} AND transfers.waiting_reason <> :error
)
SELECT waited > :limit AS over FROM message
""").bindparams(sa.bindparam("limit", type_=sa.Interval))  # noqa: S608 - made of a text of our own
_NO_MORE_WAITING = sa.text(f"""
UPDATE transfers SET waiting_reason = '', waiting_since = NULL
FROM (SELECT peer_region, exchange_id, direction FROM transfer_messages WHERE id = :id) AS message
WHERE {_OF_MESSAGE} AND transfers.waiting_reason <> ''
""")  # noqa: S608 - made of a text of our own
_END = sa.text("""
UPDATE transfer_messages SET state = 'ENDED' WHERE state = 'PENDING' AND NOT incoming
  AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""")
_PENDING = sa.text("""
SELECT payload, attempts FROM transfer_messages WHERE state = 'PENDING' AND NOT incoming
  AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction ORDER BY sequence FOR UPDATE
""")
_AGAIN = sa.text("""
UPDATE transfer_messages SET state = 'PENDING', attempts = least(attempts, 1), next_attempt = now(), waiting_since = NULL,
  waited = interval '0', waited_until = NULL
WHERE NOT incoming AND (:payload = '' OR payload = :payload) AND state IN ('RECEIPTED', 'ENDED')
  AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""")
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
_RECEIPTED = sa.text("UPDATE transfer_messages SET state = 'RECEIPTED', receipt = :receipt WHERE id = :id")
# A refused message takes its number with it: the other side holds nothing of it and still waits for that number.
_REFUSED = sa.text("""
UPDATE transfer_messages SET state = 'REFUSED', sequence = NULL, last_error = :error WHERE id = :id
""")
_MOVE_UP = sa.text("""
UPDATE transfer_messages SET sequence = -sequence + 1 WHERE state = 'PENDING' AND NOT incoming AND sequence > :sequence
  AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""")
_TURN = sa.text("""
UPDATE transfer_messages SET sequence = -sequence WHERE state = 'PENDING' AND NOT incoming AND sequence < 0
  AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""")


@dataclass(frozen=True, slots=True)
class Exchange:
    """What names an exchange at one side: the other region, its id, and which side this is."""

    peer: str
    exchange_id: str
    direction: str

    def values(self) -> dict[str, str]:
        """The key's parts as parameters."""
        return {"peer": self.peer, "exchange": self.exchange_id, "direction": self.direction}


class TransferStore:
    """Transfers and messages. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._database = database
        self._cipher = cipher

    # ---- transfers ----

    def open(self, row: Row) -> pb.Transfer:
        """Opens the sealed part of a row."""
        return pb.Transfer.FromString(self._cipher.decrypt(SEALED, row.id, row.sealed))

    def seal(self, identifier: str, content: pb.Transfer) -> bytes:
        """Encrypts the sealed part of a row."""
        return self._cipher.encrypt(SEALED, identifier, content.SerializeToString())

    def seal_delegation(self, identifier: str, delegation: str) -> bytes:
        """Encrypts a delegation."""
        return self._cipher.encrypt_text(DELEGATION, identifier, delegation)

    def open_delegation(self, row: Row) -> str:
        """Opens a row's delegation."""
        return self._cipher.decrypt_text(DELEGATION, row.id, row.delegation)

    async def serialize(self, connection: AsyncConnection, exchange: Exchange) -> None:
        """Makes whoever handles a message of the exchange wait until this transaction ends."""
        key = f"{exchange.direction}:{exchange.peer}:{exchange.exchange_id}"
        await connection.execute(_LOCK, {"key": key})

    async def of_exchange(self, connection: AsyncConnection, exchange: Exchange) -> Row | None:
        """Reads the transfer of an exchange, or None."""
        return (await connection.execute(_OF_EXCHANGE, exchange.values())).first()

    async def read_of_exchange(self, exchange: Exchange) -> Row | None:
        """Reads the transfer of an exchange outside of a transaction, or None."""
        async with self._database.read() as connection:
            return await self.of_exchange(connection, exchange)

    async def read(self, identifier: str) -> Row:
        """Reads a transfer; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, rows.by_id(transfers), identifier, f"transfers/{identifier}")

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a transfer and keeps others from changing it; raises NotFound."""
        return await _one(connection, rows.by_id(transfers, lock=True), identifier, f"transfers/{identifier}")

    async def sent_case(self, case_name: str) -> Row:
        """Reads the transfer by which a case was sent to another region; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, _OF_CASE, case_name, case_name)

    async def page(self, filters: dict[str, Any], after: tuple[datetime, str], size: int) -> Sequence[Row]:
        """Lists transfers, newest first."""
        values = filters | {"time": after[0], "after": after[1], "size": size}
        async with self._database.read() as connection:
            return (await connection.execute(_page(frozenset(filters)), values)).all()

    # ---- messages that came in ----

    async def inbox(self, connection: AsyncConnection, exchange: Exchange) -> tuple[Inbox, dict[int, Row]]:
        """Reads what is held of the other side's messages, and their rows by number."""
        found = {row.sequence: row for row in (await connection.execute(_INCOMING, exchange.values())).all()}
        applied = max((number for number, row in found.items() if row.state == "APPLIED"), default=0)
        held = frozenset(number for number, row in found.items() if row.state == "HELD")
        digests = {number: row.digest for number, row in found.items()}
        return Inbox(exchange.exchange_id, applied, held, digests), found

    async def read_inbox(self, exchange: Exchange) -> tuple[Inbox, dict[int, Row]]:
        """Reads the inbox outside of a transaction."""
        async with self._database.read() as connection:
            return await self.inbox(connection, exchange)

    def open_message(self, row: Row) -> pb.TransferMessage:
        """Opens a message."""
        return pb.TransferMessage.FromString(self._cipher.decrypt(MESSAGE, row.id, row.sealed))

    async def keep(
        self,
        connection: AsyncConnection,
        exchange: Exchange,
        message: pb.TransferMessage,
        digest: str,
        receipt: pb.TransferReceipt,
        now: datetime,
    ) -> None:
        """Stores a message that came in, with its receipt; held where the receipt says so."""
        identifier = uuid7()
        await rows.insert(
            connection,
            transfer_messages,
            {
                "id": identifier,
                "exchange_id": exchange.exchange_id,
                "direction": exchange.direction,
                "peer_region": exchange.peer,
                "incoming": True,
                "sequence": message.sequence,
                "payload": message.WhichOneof("payload"),
                "digest": digest,
                "sealed": self._cipher.encrypt(MESSAGE, identifier, message.SerializeToString()),
                "state": "HELD" if receipt.held else "APPLIED",
                "receipt": receipt.SerializeToString(),
                "create_time": now,
            },
        )

    async def mark_applied(self, connection: AsyncConnection, row: Row) -> None:
        """Marks a held message as applied."""
        await connection.execute(_APPLIED, {"id": row.id})

    # ---- messages that go out ----

    async def queue(
        self,
        connection: AsyncConnection,
        transfer: str,
        payload: str,
        message: pb.TransferMessage | None,
        now: datetime,
    ) -> None:
        """Puts a message in line, with the next number; an acknowledgement, without one, before all others."""
        identifier = uuid7()
        content = message.SerializeToString() if message else b""
        await connection.execute(
            _QUEUE,
            {
                "id": identifier,
                "transfer": transfer,
                "payload": payload,
                "now": now,
                "count": 1 if message else 0,
                "sealed": self._cipher.encrypt(MESSAGE, identifier, content),
            },
        )

    async def due(self, wanted: Wanted) -> list[Due]:
        """Returns messages whose turn and time have come, at most one of each exchange; the party is the region."""
        values = {"busy": wanted.busy, "full": wanted.full, "each": wanted.each, "size": wanted.size}
        async with self._database.read() as connection:
            return [Due(str(row.id), row.peer_region) for row in (await connection.execute(_DUE, values)).all()]

    async def take(self, identifier: str) -> Row | None:
        """Reads a message that is about to leave and counts the attempt; None where it waits no more."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(_TAKE, {"id": identifier})).first()
            return row

    async def lock_outgoing(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a message that goes out and keeps others from changing it."""
        query = rows.by_id(transfer_messages, lock=True)
        return await _one(connection, query, identifier, f"transferMessages/{identifier}")

    async def try_later(self, identifier: str, error: str, limit: timedelta) -> bool:
        """Puts a message off, for longer each time: a quarter of a second to a minute; the transfer says why.

        Tells True where it has waited for longer than ``limit``, as far as its tries bear witness.
        """
        async with self._database.read() as connection:
            return bool(await connection.scalar(_RETRY, {"id": identifier, "error": error, "limit": limit}))

    async def pending(self, connection: AsyncConnection, exchange: Exchange) -> list[Row]:
        """Reads payload and attempts of the messages that wait, the next one first, and keeps others from sending them."""
        return list((await connection.execute(_PENDING, exchange.values())).all())

    async def end(self, connection: AsyncConnection, exchange: Exchange) -> None:
        """Sends nothing more of what waits."""
        await connection.execute(_END, exchange.values())

    async def again(self, connection: AsyncConnection, exchange: Exchange, payload: str = "") -> None:
        """Puts what was sent (all of it, or the message with this payload) in line once more, under its old numbers."""
        await connection.execute(_AGAIN, exchange.values() | {"payload": payload})

    async def tell_again(self, exchange: Exchange) -> None:
        """Puts everything that was told in line once more."""
        async with self._database.read() as connection:
            await self.again(connection, exchange)

    async def receipted(self, connection: AsyncConnection, identifier: str, receipt: bytes) -> None:
        """Marks a message as delivered."""
        await connection.execute(_RECEIPTED, {"id": identifier, "receipt": receipt})
        await connection.execute(_NO_MORE_WAITING, {"id": identifier})

    async def refused(self, connection: AsyncConnection, row: Row, error: str) -> None:
        """Marks a message as refused for good; those behind it move up by one number."""
        await connection.execute(_REFUSED, {"id": row.id, "error": error})
        await connection.execute(_NO_MORE_WAITING, {"id": row.id})
        key = {"peer": row.peer_region, "exchange": row.exchange_id, "direction": row.direction}
        # Over negative numbers, because the unique index is checked row by row.
        await connection.execute(_MOVE_UP, {**key, "sequence": row.sequence})
        await connection.execute(_TURN, key)


async def _one(connection: AsyncConnection, query: sa.Select[Any], key: str, name: str) -> Row:
    row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
    if row is None:
        raise not_found(name)
    return row


@cache
def _page(filters: frozenset[str]) -> Any:
    of_parties = " AND (applicant = ANY(:parties) OR agent = ANY(:parties))" if "parties" in filters else ""
    chosen = of_parties + "".join(f" AND {name} = :{name}" for name in sorted(filters - {"parties"}))
    return sa.text(f"""
        SELECT * FROM transfers WHERE (create_time, id) < (:time, CAST(:after AS uuid)){chosen}
        ORDER BY create_time DESC, id DESC LIMIT :size
    """).columns(*transfers.columns)  # noqa: S608 - made of column names of our own
