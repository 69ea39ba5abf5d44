"""Running cases whose search date an older edition of the calendar counted."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.statement import Statement
from services.cases.store.cases import READ_COLUMNS, CaseRecord, CaseStore

_BEHIND = Statement(f"""
SELECT {READ_COLUMNS} FROM cases WHERE calendar_edition > 0 AND calendar_edition < :edition
ORDER BY calendar_edition, id LIMIT :size FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - made of column names of our own
_RECOUNTED = sa.text("UPDATE cases SET due_date = :due, calendar_edition = :edition WHERE id = :id")


async def behind(connection: AsyncConnection, store: CaseStore, edition: int, size: int) -> list[CaseRecord]:
    """Reads and locks up to ``size`` of them; what is being changed right now is passed over."""
    return [store.record(row) for row in await _BEHIND.all(connection, {"edition": edition, "size": size})]


async def recounted(connection: AsyncConnection, record: CaseRecord) -> None:
    """Writes the search date of a case, and no more: it is no change of the case."""
    await connection.execute(_RECOUNTED, {
        "id": record.id, "due": record.due_date, "edition": record.calendar_edition,
    })  # fmt: skip
