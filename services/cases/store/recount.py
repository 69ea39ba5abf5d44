"""Running cases whose search date an older edition of the calendar counted."""

from collections.abc import AsyncIterator, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.statement import Statement
from services.cases.store.cases import READ_COLUMNS, CaseRecord, CaseStore

_BEHIND = "calendar_edition > 0 AND calendar_edition < :edition"
_IDS = Statement(f"""
SELECT calendar_edition, id::text FROM cases WHERE {_BEHIND} AND (calendar_edition, id) > (:counted_by, CAST(:after AS uuid))
ORDER BY calendar_edition, id LIMIT :size
""")  # noqa: S608 - made of a text of our own
_LOCK = Statement(f"""
SELECT {READ_COLUMNS} FROM cases WHERE id = ANY(CAST(:ids AS uuid[])) AND {_BEHIND} ORDER BY id FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - made of column names of our own
_RECOUNTED = sa.text("UPDATE cases SET due_date = :due, calendar_edition = :edition WHERE id = :id")
_BEFORE_ALL = (0, "00000000-0000-0000-0000-000000000000")


async def behind(database: Database, edition: int, size: int) -> AsyncIterator[Sequence[str]]:
    """Goes through their ids once, in batches."""
    place = _BEFORE_ALL
    while True:
        async with database.read() as connection:
            values = {"edition": edition, "counted_by": place[0], "after": place[1], "size": size}
            found = await _IDS.all(connection, values)
        if not found:
            return
        yield [row[1] for row in found]
        place = found[-1][0], found[-1][1]


async def locked(connection: AsyncConnection, store: CaseStore, edition: int, ids: Sequence[str]) -> list[CaseRecord]:
    """Reads and locks those of them that are still behind; what is being changed right now is passed over."""
    return [store.record(row) for row in await _LOCK.all(connection, {"ids": list(ids), "edition": edition})]


async def recounted(connection: AsyncConnection, record: CaseRecord) -> None:
    """Writes the search date of a case, and no more: it is no change of the case."""
    await connection.execute(
        _RECOUNTED,
        {
            "id": record.id,
            "due": record.due_date,
            "edition": record.calendar_edition,
        },
    )
