"""Running cases whose search date an older edition of the calendar counted."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from services.cases.core.cases import CaseRecord, CaseStore, cases


@of(cases)
@dataclass(frozen=True, slots=True)
class CountedCase:
    """A case, and the edition that its search date was counted by."""

    calendar_edition: int
    id: str


_BEHIND = "calendar_edition > 0 AND calendar_edition < CAST(:edition AS integer)"
_IDS = Query(
    CountedCase,
    f"""
SELECT {{columns}} FROM cases WHERE {_BEHIND}
  AND (calendar_edition, id) > (CAST(:counted_by AS integer), CAST(:after AS uuid))
ORDER BY calendar_edition, id LIMIT :size
""",  # noqa: S608 - made of a text of our own
)
_LOCK = Query(
    CaseRecord,
    f"""
SELECT {{columns}} FROM cases WHERE id = ANY(CAST(:ids AS uuid[])) AND {_BEHIND} ORDER BY id FOR UPDATE SKIP LOCKED
""",  # noqa: S608 - made of a text of our own
)
_RECOUNTED = Query(
    CaseRecord,
    "UPDATE cases SET due_date = :due_date, calendar_edition = :edition WHERE id = CAST(:id AS uuid)",
)
_BEFORE_ALL = CountedCase(0, "00000000-0000-0000-0000-000000000000")


async def ids_behind(database: Database, edition: int, size: int) -> AsyncIterator[Sequence[str]]:
    """Goes through their ids once, in batches."""
    last = _BEFORE_ALL
    while True:
        async with database.read() as connection:
            found = await _IDS.all(
                connection, edition=edition, counted_by=last.calendar_edition, after=last.id, size=size
            )
        if not found:
            return
        yield [each.id for each in found]
        last = found[-1]


async def locked(
    connection: DatabaseConnection, store: CaseStore, edition: int, ids: Sequence[str]
) -> list[CaseRecord]:
    """Reads and locks those of them that are still behind; what is being changed right now is passed over."""
    return [store.opened(each) for each in await _LOCK.all(connection, ids=list(ids), edition=edition)]


async def recounted(connection: DatabaseConnection, record: CaseRecord) -> None:
    """Writes the search date of a case, and no more: it is no change of the case."""
    await _RECOUNTED.first(connection, id=record.id, due_date=record.due_date, edition=record.calendar_edition)
