"""Exchanges with other regions in PostgreSQL, as this side sees them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, Update, of
from libs.errors import not_found
from services.cases.core import schema
from services.cases.core.cases import id_of
from services.cases.core.exchange import TransferState
from tongban.cases.v1 import exchange_service_pb2 as pb

SEALED = Column("transfers", "sealed")
DELEGATION = Column("transfers", "delegation")
INBOUND, OUTBOUND = "INBOUND", "OUTBOUND"

transfers = sa.Table(
    "transfers",
    schema.METADATA,
    columns.record_id(),
    *columns.given("exchange_id", "transaction_id", "direction", "peer_region", "state", "mode", "task_code"),
    *columns.given("item_display_name"),
    columns.text("case_name"),
    columns.text("case_number"),
    *columns.given("department", "owner_department", "operator"),
    columns.text("applicant"),
    columns.text("agent"),
    columns.text("progress_state"),
    columns.text("peer_transfer"),
    sa.Column("tolerated", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("delegation", sa.LargeBinary),
    sa.Column("last_sent", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_receipted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_applied", sa.Integer, nullable=False, server_default="0"),
    columns.text("end_reason"),
    columns.text("waiting_reason"),
    # By the database's own clock, as next_attempt of the messages.
    columns.moment("waiting_since"),
    # Messages of the other side that lie here and are not understood, and those of ours that lie so at the other side.
    columns.counted("not_understood"),
    columns.counted("sent_not_understood"),
    columns.moment("receive_time"),
    columns.moment("acknowledge_time"),
    *columns.life(),
    sa.UniqueConstraint("peer_region", "exchange_id", "direction"),
    sa.Index("transfers_case", "case_name", postgresql_where=sa.text("case_name <> ''")),
    sa.Index("transfers_created", "create_time", "id"),
    sa.Index("transfers_applicant", "applicant", "create_time", "id", postgresql_where=sa.text("applicant <> ''")),
    sa.Index("transfers_agent", "agent", "create_time", "id", postgresql_where=sa.text("agent <> ''")),
    sa.Index("transfers_list", "owner_department", "create_time", "id"),
    sa.Index("transfers_unanswered", "id", postgresql_where=sa.text("state = 'RECEIVED' AND direction = 'OUTBOUND'")),
    comment="One side's view of each exchange. sealed: tongban.cases.v1.Transfer with parties, progress and result.",
)


@dataclass(frozen=True, slots=True)
class ExchangeKey:
    """What names an exchange at one side: the other region, its id, and which side this is."""

    peer: str
    exchange_id: str
    direction: str

    def values(self) -> dict[str, str]:
        """The key's parts as parameters."""
        return {"peer": self.peer, "exchange": self.exchange_id, "direction": self.direction}


@of(transfers)
@dataclass(frozen=True, slots=True)
class TransferRow:
    """One side's view of an exchange, its sealed part and its delegation encrypted."""

    id: str
    exchange_id: str
    transaction_id: str
    direction: str
    peer_region: str
    mode: str
    task_code: str
    department: str
    owner_department: str
    operator: str
    applicant: str
    agent: str
    sealed: bytes
    create_time: datetime
    update_time: datetime
    state: TransferState = TransferState.SENT
    item_display_name: str = ""
    case_name: str = ""
    case_number: str = ""
    progress_state: str = ""
    peer_transfer: str = ""
    tolerated: bool = False
    delegation: bytes | None = None
    last_sent: int = 0
    last_receipted: int = 0
    last_applied: int = 0
    end_reason: str = ""
    waiting_reason: str = ""
    waiting_since: datetime | None = None
    receive_time: datetime | None = None
    acknowledge_time: datetime | None = None
    not_understood: int = 0
    sent_not_understood: int = 0
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"caseTransfers/{self.id}"

    @property
    def key(self) -> ExchangeKey:
        """The exchange's key."""
        return ExchangeKey(self.peer_region, self.exchange_id, self.direction)

    @property
    def parties(self) -> tuple[str, str]:
        """Applicant and agent, each with their region in front."""
        return (self.applicant, self.agent)


UPDATE = Update(TransferRow)
_OF_EXCHANGE = Query(
    TransferRow,
    """
SELECT {columns} FROM transfers WHERE peer_region = :peer AND exchange_id = :exchange AND direction = :direction
""",
)
_BY_ID = Query(TransferRow, "SELECT {columns} FROM transfers WHERE id = CAST(:id AS uuid)")
_LOCK = Query(TransferRow, "SELECT {columns} FROM transfers WHERE id = CAST(:id AS uuid) FOR UPDATE")
_SENT_CASE = Query(
    TransferRow,
    "SELECT {columns} FROM transfers WHERE case_name = :case_name AND case_name <> '' AND direction = 'OUTBOUND'",
)


@dataclass(frozen=True, slots=True)
class TransferStore:
    """Reads transfers, and opens and closes what of them is encrypted."""

    database: Database
    cipher: FieldCipher

    def content(self, row: TransferRow) -> pb.CaseTransfer:
        """Opens the sealed part of a row."""
        return pb.CaseTransfer.FromString(self.cipher.decrypt(SEALED, row.id, row.sealed))

    def sealed(self, transfer_id: str, content: pb.CaseTransfer) -> bytes:
        """Encrypts the sealed part of a row."""
        return self.cipher.encrypt(SEALED, transfer_id, content.SerializeToString())

    def sealed_parties(self, transfer_id: str, application: pb.TransferApplication) -> bytes:
        """Encrypts who applies, and how their identity was checked, as the row of a new transfer holds it."""
        content = pb.CaseTransfer(applicant=application.applicant, identity_check=application.identity_check)
        if application.HasField("agent"):
            content.agent.CopyFrom(application.agent)
        return self.sealed(transfer_id, content)

    async def of_exchange(self, connection: DatabaseConnection, exchange: ExchangeKey) -> TransferRow | None:
        """Reads the transfer of an exchange, or None."""
        return await _OF_EXCHANGE.first(connection, **exchange.values())

    async def read_of_exchange(self, exchange: ExchangeKey) -> TransferRow | None:
        """Reads the transfer of an exchange outside of a transaction, or None."""
        async with self.database.read() as connection:
            return await self.of_exchange(connection, exchange)

    async def get(self, name: str) -> TransferRow:
        """Reads a transfer by its name; raises NotFound."""
        return await self._one(_BY_ID, name, id=id_of(name))

    async def sent_case(self, case_name: str) -> TransferRow:
        """Reads the transfer by which a case was sent to another region; raises NotFound."""
        return await self._one(_SENT_CASE, case_name, case_name=case_name)

    async def _one(self, query: Query[TransferRow], name: str, **values: Any) -> TransferRow:
        async with self.database.read() as connection:
            return _found(await query.first(connection, **values), name)

    async def lock(self, connection: DatabaseConnection, name: str) -> TransferRow:
        """Reads a transfer and keeps others from changing it; raises NotFound."""
        return _found(await _LOCK.first(connection, id=id_of(name)), name)


def _found(row: TransferRow | None, name: str) -> TransferRow:
    if row is None:
        raise not_found(name)
    return row
