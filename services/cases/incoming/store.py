"""Messages that came in: what was applied of an exchange, what waits for those before it, and what is not understood."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.access.actor import Actor, from_claims
from libs.crypto.envelope import FieldCipher
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.ids.uuid7 import uuid7
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core.exchange import Inbox, IncomingState
from services.cases.core.outbound import CLAIMS, MESSAGE, MessageRow, transfer_messages
from services.cases.core.payloads import OpenedMessage, content_key
from services.cases.core.transfers import INBOUND, ExchangeKey
from tongban.cases.v1 import exchange_service_pb2 as pb


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class _Locked:
    """What a statement gives that only waits for its turn."""

    attempts: int


@of(transfer_messages)
@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message that came in and was not applied, as operators see it: nothing of what it says."""

    id: str
    exchange_id: str
    direction: str
    peer_region: str
    sequence: int | None
    payload: str
    digest: str
    state: str
    create_time: datetime
    last_error: str
    release: str
    doubts: tuple[str, ...]


@of(joined(count=transfer_messages.c.attempts))
@dataclass(frozen=True, slots=True)
class KeptCount:
    """How many messages are not understood."""

    count: int


NOT_APPLIED = "incoming AND state <> 'APPLIED'"
_ADD = Addition(MessageRow)
_LOCK = Query(_Locked, "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(:key, 0))")
_INCOMING = Query(
    MessageRow,
    """
SELECT {columns} FROM transfer_messages
WHERE peer_region = :peer AND exchange_id = :exchange AND direction = :direction AND incoming ORDER BY sequence
""",
)
_BY_ID = Query(MessageRow, "SELECT {columns} FROM transfer_messages WHERE id = CAST(:id AS uuid)")
_SETTLED = Query(
    _Locked,
    """
UPDATE transfer_messages SET state = :state, last_error = :reason, claims = NULL WHERE id = CAST(:id AS uuid)
""",
)
_JUDGED = Query(
    _Locked,
    """
UPDATE transfer_messages SET state = 'NOT_UNDERSTOOD', doubts = CAST(:doubts AS text[]), edition = :edition
WHERE id = CAST(:id AS uuid)
""",
)
_DROP = Query(_Locked, "DELETE FROM transfer_messages WHERE id = CAST(:id AS uuid) AND incoming AND state = 'REFUSED'")
_COUNTED = Query(
    _Locked,
    """
UPDATE transfers SET not_understood = not_understood + CAST(:more AS integer)
WHERE peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""",
)
_NOT_UNDERSTOOD = Query(
    KeptCount,
    """
SELECT {columns} FROM (
  SELECT CAST(count(*) AS integer) AS count FROM transfer_messages WHERE incoming AND state = 'NOT_UNDERSTOOD'
) AS found
""",
)
KEPT = FilteredList(
    KeptMessage,
    pb.ListIncomingMessagesRequest,
    transfer_messages,
    {
        "exchange_id": fields.text("exchange_id"),
        "direction": fields.choice("direction", pb.TransferDirection),
        "sender_region": fields.text("peer_region"),
        "payload_type": fields.text("payload"),
        "release": fields.text("release"),
        "state": fields.choice("state", pb.IncomingMessageState),
        "doubts": fields.texts("doubts"),
        "reason": fields.text("last_error"),
        "receive_time": fields.moment("create_time"),
    },
    {"receive_time": Order(("create_time", "id"), (Path((), NOT_APPLIED), Path(("peer_region",), NOT_APPLIED)))},
    "receive_time desc",
)
TO_UNDERSTAND = """
SELECT id AS key, peer_region AS party FROM transfer_messages
WHERE incoming AND state = 'NOT_UNDERSTOOD' AND edition <> :edition
"""
"""Messages that another edition of the contracts did not understand, as a sweep looks for them."""


@dataclass(frozen=True, slots=True)
class BroughtBy:
    """Whose token brought a message, and by which edition of the contracts it was judged."""

    actor: Actor
    edition: str


@dataclass(frozen=True, slots=True)
class ReceivedMessages:
    """What is held of the other side's messages, and their rows by number.

    Attributes:
        refused: an application that was refused when it was understood at last: who sends it again has it judged anew.
    """

    exchange: ExchangeKey
    inbox: Inbox
    rows: dict[int, MessageRow]
    refused: MessageRow | None = None

    def newest(self, payload: str) -> int:
        """Returns the number of the last message with this payload that was applied; 0 where there is none."""
        applied = (row for row in self.rows.values() if row.state == IncomingState.APPLIED and row.payload == payload)
        return max((row.sequence or 0 for row in applied), default=0)


def received_of(exchange: ExchangeKey, found: list[MessageRow]) -> ReceivedMessages:
    """Returns what is held of an exchange, from the rows of its messages that came in."""
    rows = {row.sequence: row for row in found if row.sequence is not None}
    first = rows.get(1) if exchange.direction == INBOUND else None
    refused = rows.pop(1) if first is not None and first.state == IncomingState.REFUSED else None
    settled = max((number for number, row in rows.items() if row.state != IncomingState.HELD), default=0)
    if refused is not None or (first is not None and first.state == IncomingState.NOT_UNDERSTOOD):
        settled = 0  # there is no case yet that anything could be applied to
    held = {number: row.previous for number, row in rows.items() if row.state == IncomingState.HELD}
    digests = {number: content_key(row.payload, row.digest) for number, row in rows.items()}
    return ReceivedMessages(exchange, Inbox(exchange.exchange_id, settled, held, digests), rows, refused)


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
        return received_of(exchange, await _INCOMING.all(connection, **exchange.values()))

    async def read(self, exchange: ExchangeKey) -> ReceivedMessages:
        """Reads what is held, outside of a transaction."""
        async with self.database.read() as connection:
            return await self.received(connection, exchange)

    async def get(self, message_id: str) -> MessageRow | None:
        """Reads a message."""
        async with self.database.read() as connection:
            return await _BY_ID.first(connection, id=message_id)

    def whole(self, row: MessageRow) -> bytes:
        """Opens the request that brought a message."""
        return self.cipher.decrypt(MESSAGE, row.id, row.sealed)

    def brought_by(self, row: MessageRow) -> Actor:
        """Returns whose token brought a message that was kept."""
        claims: Mapping[str, Any] = json.loads(self.cipher.decrypt_text(CLAIMS, row.id, row.claims or b""))
        return from_claims(claims, "")

    async def keep(
        self,
        connection: DatabaseConnection,
        exchange: ExchangeKey,
        message: OpenedMessage,
        receipt: pb.TransferReceipt,
        state: IncomingState,
        now: datetime,
        brought: BroughtBy,
    ) -> None:
        """Stores a message that came in, with its receipt; of one that is not applied also whose token brought it."""
        message_id, waits = uuid7(), state is not IncomingState.APPLIED
        claims = self.cipher.encrypt_text(CLAIMS, message_id, json.dumps(dict(brought.actor.claims))) if waits else None
        row = MessageRow(
            id=message_id,
            exchange_id=exchange.exchange_id,
            direction=exchange.direction,
            peer_region=exchange.peer,
            incoming=True,
            sequence=message.sequence,
            payload=message.kind,
            digest=message.digest,
            sealed=self.cipher.encrypt(MESSAGE, message_id, message.whole),
            state=state,
            receipt=receipt.SerializeToString(),
            attempts=0,
            create_time=now,
            previous=message.envelope.previous_sequence,
            claims=claims,
            release=message.envelope.release,
            edition=brought.edition if message.doubts else "",
            doubts=message.doubts,
        )
        await _ADD.add(connection, row)

    async def settle(
        self, connection: DatabaseConnection, row: MessageRow, state: IncomingState, reason: str = ""
    ) -> None:
        """Notes what became of a message that was kept; whose token brought it is needed no more."""
        await _SETTLED.first(connection, id=row.id, state=state, reason=reason)

    async def judged(
        self, connection: DatabaseConnection, row: MessageRow, doubts: tuple[str, ...], edition: str
    ) -> None:
        """Notes what ``edition`` does not know of a message."""
        await _JUDGED.first(connection, id=row.id, doubts=list(doubts), edition=edition)

    async def drop(self, connection: DatabaseConnection, row: MessageRow) -> None:
        """Forgets a refused message that came again."""
        await _DROP.first(connection, id=row.id)

    async def counted(self, connection: DatabaseConnection, exchange: ExchangeKey, more: int) -> None:
        """Counts, on the transfer, a message that is not understood, or one less."""
        await _COUNTED.first(connection, more=more, **exchange.values())

    async def not_understood(self) -> int:
        """Counts the messages that are not understood."""
        async with self.database.read() as connection:
            return (await _NOT_UNDERSTOOD.one(connection)).count
