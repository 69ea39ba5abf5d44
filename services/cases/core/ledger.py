"""The ledger of a case's clock: the intervals in which it stood still, for whoever reads it."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from services.cases.core import schema

REASON = Column("case_standstills", "reason")

case_standstills = sa.Table(
    "case_standstills",
    schema.METADATA,
    sa.Column("case_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    *columns.given("phase", "procedure"),
    sa.Column("reason", sa.LargeBinary),
    columns.moment("start_time", nullable=False),
    columns.moment("end_time"),
    comment="The ledger of a case's clock: the intervals in which it stood still.",
)


@of(case_standstills)
@dataclass(frozen=True, slots=True)
class StandstillRow:
    """One row of the ledger, its reason encrypted."""

    phase: str
    procedure: str
    reason: bytes | None
    start_time: datetime
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One interval of the ledger."""

    phase: str
    procedure: str
    reason: str
    start_time: datetime
    end_time: datetime | None = None


_LEDGER = Query(
    StandstillRow, "SELECT {columns} FROM case_standstills WHERE case_id = CAST(:case_id AS uuid) ORDER BY sequence"
)
_STOP = Query(
    StandstillRow,
    """
INSERT INTO case_standstills (case_id, sequence, phase, procedure, reason, start_time)
SELECT CAST(:case_id AS uuid), coalesce(max(sequence), 0) + 1, CAST(:phase AS text), CAST(:procedure AS text),
  CAST(:reason AS bytea), CAST(:now AS timestamptz)
FROM case_standstills WHERE case_id = CAST(:case_id AS uuid)
""",
)
# Never before its start, whatever the machine's clock says.
_GO = Query(
    StandstillRow,
    """
UPDATE case_standstills SET end_time = greatest(start_time, CAST(:now AS timestamptz))
WHERE case_id = CAST(:case_id AS uuid) AND end_time IS NULL
""",
)
_DUE_TASKS = Query(
    StandstillRow,
    """
UPDATE tasks SET due_date = :due, update_time = :now, version = version + 1
WHERE case_id = CAST(:case_id AS uuid) AND state IN ('OPEN', 'CLAIMED')
""",
)


@dataclass(frozen=True, slots=True)
class LedgerStore:
    """Reads ledgers, and writes them in the caller's transaction."""

    database: Database
    cipher: FieldCipher

    async def read(self, case_id: str) -> list[LedgerEntry]:
        """Reads the ledger of a case's clock, oldest first."""
        async with self.database.read() as connection:
            found = await _LEDGER.all(connection, case_id=case_id)
        return [self._opened(case_id, row) for row in found]

    def _opened(self, case_id: str, row: StandstillRow) -> LedgerEntry:
        reason = self.cipher.decrypt_text(REASON, case_id, row.reason) if row.reason else ""
        return LedgerEntry(row.phase, row.procedure, reason, row.start_time, row.end_time)

    async def stop(self, connection: DatabaseConnection, case_id: str, entry: LedgerEntry) -> None:
        """Opens an interval."""
        reason = self.cipher.encrypt_text(REASON, case_id, entry.reason) if entry.reason else None
        await _STOP.first(
            connection,
            case_id=case_id,
            phase=entry.phase,
            procedure=entry.procedure,
            reason=reason,
            now=entry.start_time,
        )

    async def go(self, connection: DatabaseConnection, case_id: str, now: datetime) -> None:
        """Ends the open interval."""
        await _GO.first(connection, case_id=case_id, now=now)

    async def move_tasks(self, connection: DatabaseConnection, case_id: str, due: date, now: datetime) -> None:
        """Gives the open tasks of a case its new deadline."""
        await _DUE_TASKS.first(connection, case_id=case_id, due=due, now=now)
