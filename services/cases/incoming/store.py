"""Messages that came in: what was applied of an exchange, and what waits for those before it."""

from dataclasses import dataclass
from datetime import datetime

from libs.crypto.envelope import FieldCipher
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Insert, Query, of
from libs.ids.uuid7 import uuid7
from services.cases.core.exchange import Inbox
from services.cases.core.outbound import MESSAGE, MessageRow, transfer_messages
from services.cases.core.transfers import ExchangeKey
from tongban.cases.v1 import exchange_service_pb2 as pb


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class _Locked:
    """What a statement gives that only waits for its turn."""

    attempts: int


_ADD = Insert(MessageRow)
_LOCK = Query(_Locked, "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(:key, 0))")
_INCOMING = Query(
    MessageRow,
    """
SELECT {columns} FROM transfer_messages
WHERE peer_region = :peer AND exchange_id = :exchange AND direction = :direction AND incoming ORDER BY sequence
""",
)
_APPLIED = Query(MessageRow, "UPDATE transfer_messages SET state = 'APPLIED' WHERE id = CAST(:id AS uuid)")


@dataclass(frozen=True, slots=True)
class ReceivedMessages:
    """What is held of the other side's messages, and their rows by number."""

    inbox: Inbox
    rows: dict[int, MessageRow]


@dataclass(frozen=True, slots=True)
class InboxStore:
    """Keeps the messages that came in."""

    database: Database
    cipher: FieldCipher

    async def serialize(self, connection: DatabaseConnection, exchange: ExchangeKey) -> None:
        """Makes whoever handles a message of the exchange wait until this transaction ends."""
        await _LOCK.first(connection, key=f"{exchange.direction}:{exchange.peer}:{exchange.exchange_id}")

    async def received(self, connection: DatabaseConnection, exchange: ExchangeKey) -> ReceivedMessages:
        """Reads what is held."""
        found = await _INCOMING.all(connection, **exchange.values())
        rows = {row.sequence: row for row in found if row.sequence is not None}
        applied = max((number for number, row in rows.items() if row.state == "APPLIED"), default=0)
        held = frozenset(number for number, row in rows.items() if row.state == "HELD")
        digests = {number: row.digest for number, row in rows.items()}
        return ReceivedMessages(Inbox(exchange.exchange_id, applied, held, digests), rows)

    async def read(self, exchange: ExchangeKey) -> ReceivedMessages:
        """Reads what is held, outside of a transaction."""
        async with self.database.read() as connection:
            return await self.received(connection, exchange)

    async def keep(
        self,
        connection: DatabaseConnection,
        exchange: ExchangeKey,
        message: pb.TransferMessage,
        receipt: pb.TransferReceipt,
        now: datetime,
    ) -> None:
        """Stores a message that came in, with its receipt; held where the receipt says so."""
        message_id = uuid7()
        await _ADD.add(
            connection,
            MessageRow(
                id=message_id,
                exchange_id=exchange.exchange_id,
                direction=exchange.direction,
                peer_region=exchange.peer,
                incoming=True,
                sequence=message.sequence,
                payload=message.WhichOneof("payload") or "",
                digest=receipt.digest,
                sealed=self.cipher.encrypt(MESSAGE, message_id, message.SerializeToString()),
                state="HELD" if receipt.held else "APPLIED",
                receipt=receipt.SerializeToString(),
                attempts=0,
                create_time=now,
            ),
        )

    async def applied(self, connection: DatabaseConnection, row: MessageRow) -> None:
        """Marks a held message as applied."""
        await _APPLIED.first(connection, id=row.id)
