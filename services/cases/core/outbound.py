"""Messages to and from other regions: their table, and how one is put in line for the deliverer."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from google.protobuf.message import Message

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.db.uow import Transaction
from libs.ids.uuid7 import uuid7
from services.cases.core import schema
from services.cases.core.payloads import MessageReader
from services.cases.core.transfers import ExchangeKey
from tongban.cases.v1 import exchange_service_pb2 as pb

MESSAGE = Column("transfer_messages", "sealed")
CLAIMS = Column("transfer_messages", "claims")

transfer_messages = sa.Table(
    "transfer_messages",
    schema.METADATA,
    columns.record_id(),
    *columns.given("exchange_id", "direction", "peer_region"),
    sa.Column("incoming", sa.Boolean, nullable=False),
    sa.Column("sequence", sa.Integer),
    sa.Column("payload", sa.Text, nullable=False),
    columns.text("digest"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("receipt", sa.LargeBinary),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    columns.text("last_error"),
    # By the machine's clock, and compared with the database's own now() only: the business clock may be a replayed one.
    sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    columns.moment("waiting_since"),
    columns.moment("waited_until"),
    sa.Column("waited", sa.Interval, nullable=False, server_default=sa.text("'0'::interval")),
    columns.moment("create_time", nullable=False),
    # The number that it follows; of one that came in and was not applied also whose token brought it, and what of it is not
    # understood by which edition of the contracts.
    columns.counted("previous"),
    sa.Column("claims", sa.LargeBinary),
    columns.text("release"),
    columns.text("edition"),
    columns.texts("doubts", empty=True),
    sa.UniqueConstraint("peer_region", "exchange_id", "direction", "incoming", "sequence"),
    sa.Index(
        "transfer_messages_pending",
        *("peer_region", "exchange_id", "direction", "sequence"),
        postgresql_where=sa.text("state = 'PENDING'"),
    ),
    sa.Index(
        "transfer_messages_kept",
        *("create_time", "id"),
        postgresql_where=sa.text("incoming AND state <> 'APPLIED'"),
    ),
    sa.Index(
        "transfer_messages_kept_of",
        *("peer_region", "create_time", "id"),
        postgresql_where=sa.text("incoming AND state <> 'APPLIED'"),
    ),
    comment="Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED, ENDED; incoming: IncomingState.",
)


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message of an exchange, its content encrypted: of an incoming one the whole request that brought it."""

    id: str
    exchange_id: str
    direction: str
    peer_region: str
    incoming: bool
    sequence: int | None
    payload: str
    digest: str
    sealed: bytes
    state: str
    receipt: bytes | None
    attempts: int
    create_time: datetime
    last_error: str = ""
    previous: int = 0
    claims: bytes | None = None
    release: str = ""
    edition: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def key(self) -> ExchangeKey:
        """The exchange's key."""
        return ExchangeKey(self.peer_region, self.exchange_id, self.direction)


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class MessageWait:
    """For how long a message has waited, as far as its tries bear witness."""

    waited: timedelta


_ADD = Query(
    MessageRow,
    """
WITH exchange AS (
  UPDATE transfers SET last_sent = last_sent + CAST(:count AS integer), version = version + 1, update_time = :now
  WHERE id = CAST(:transfer AS uuid) RETURNING last_sent, peer_region, exchange_id, direction
)
INSERT INTO transfer_messages
  (id, exchange_id, direction, peer_region, incoming, sequence, payload, release, sealed, state, create_time)
SELECT CAST(:id AS uuid), exchange_id, direction, peer_region, false,
  CASE WHEN CAST(:count AS integer) = 0 THEN 0 ELSE last_sent END, CAST(:payload AS text), CAST(:release AS text), CAST(:sealed AS bytea),
  'PENDING', CAST(:now AS timestamptz)
FROM exchange
""",
)
_AGAIN = Query(
    MessageRow,
    """
UPDATE transfer_messages SET state = 'PENDING', attempts = least(attempts, 1), next_attempt = now(), waiting_since = NULL,
  waited = interval '0', waited_until = NULL
WHERE NOT incoming AND (CAST(:payload AS text) = '' OR payload = CAST(:payload AS text))
  AND state IN ('RECEIPTED', 'ENDED') AND peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""",
)


class OutboundQueue:
    """Puts messages in line for the deliverer, in the transaction of what they tell; the commit wakes it."""

    def __init__(self, database: Database, cipher: FieldCipher, reader: MessageReader) -> None:
        self._database = database
        self._reader = reader
        self._cipher = cipher
        self.woken = asyncio.Event()

    def opened(self, row: MessageRow) -> pb.TransferMessage:
        """Opens a message."""
        return pb.TransferMessage.FromString(self._cipher.decrypt(MESSAGE, row.id, row.sealed))

    async def add(self, tx: Transaction, transfer: str, content: Message) -> None:
        """Puts a message that says ``content`` in line; ``transfer`` is an id."""
        await self._add(tx, transfer, content, count=1)

    async def acknowledge(self, tx: Transaction, transfer: str, content: pb.TransferAcknowledgement) -> None:
        """Puts in line, before all others and without a number, how an application was received."""
        await self._add(tx, transfer, content, count=0)

    async def _add(self, tx: Transaction, transfer: str, content: Message, count: int) -> None:
        message_id, message = uuid7(), self._reader.packed(content)
        await _ADD.first(
            tx.connection,
            id=message_id,
            transfer=transfer,
            payload=message.payload_type,
            release=message.release,
            now=tx.now,
            count=count,
            sealed=self._cipher.encrypt(MESSAGE, message_id, message.SerializeToString()),
        )
        tx.committed.append(self.woken.set)

    async def again(self, connection: DatabaseConnection, exchange: ExchangeKey, payload: str = "") -> None:
        """Puts what was sent in line once more: all of it, or the message with this payload."""
        await _AGAIN.first(connection, payload=payload, **exchange.values())

    async def tell_again(self, exchange: ExchangeKey) -> None:
        """Tells once more whatever was told: who sends the application again may have lost it.

        What the other side has of it, it answers with its first receipts.
        """
        async with self._database.read() as connection:
            await self.again(connection, exchange)
        self.woken.set()
