"""Work queues, deliveries and ratings in PostgreSQL."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.cases.tables import cases, deliveries, ratings, tasks

_KINDS_OF_RATING = sa.select(ratings).where(ratings.c.case_name == sa.bindparam(rows.KEY))
_COLUMNS = """
SELECT tasks.*, cases.number, cases.item, cases.clock_start, cases.standstills, cases.extension_days,
  cases.accept_time, coalesce(cases.decide_time, cases.end_time) AS clock_end
FROM tasks JOIN cases ON cases.id = tasks.case_id
"""
_ONE = sa.text(f"{_COLUMNS} WHERE tasks.id = :id")
_PAGE_FILTERS = {
    "department": "tasks.department = :department",
    "kind": "tasks.kind = :kind",
    "state": "tasks.state = :state",
    "case_id": "tasks.case_id = CAST(:case_id AS uuid)",
    "assignee": "tasks.assignee = :assignee",
    "waiting": "tasks.state IN ('OPEN', 'CLAIMED') AND CAST(:waiting AS boolean)",
}
_TYPES = (
    *tasks.columns,
    cases.c.number,
    cases.c.item,
    cases.c.clock_start,
    cases.c.standstills,
    cases.c.extension_days,
    cases.c.accept_time,
    sa.column("clock_end", sa.DateTime(timezone=True)),
)


class TaskStore:
    """Tasks, deliveries, ratings. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def task(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a task and keeps others from changing it; raises NotFound."""
        return await _one(connection, rows.by_id(tasks, lock=True), identifier, f"tasks/{identifier}")

    async def shown(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a task with what of its case is shown beside it."""
        found: Row = (await connection.execute(_ONE.columns(*_TYPES), {"id": identifier})).one()
        return found

    async def claim(self, connection: AsyncConnection, identifier: str, assignee: str, now: datetime) -> Row:
        """Gives a locked task to somebody."""
        values = {"state": "CLAIMED", "assignee": assignee, "claim_time": now, "update_time": now}
        return await rows.update(connection, tasks, identifier, values)

    async def page(self, filters: dict[str, Any], after: tuple[date, str], size: int) -> Sequence[Row]:
        """Lists tasks, the nearest deadline first."""
        values = filters | {"due": after[0], "after": after[1], "size": size}
        async with self._database.read() as connection:
            return (await connection.execute(_page(frozenset(filters)), values)).all()

    async def delivery(self, identifier: str) -> Row:
        """Reads a delivery; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, rows.by_id(deliveries), identifier, f"deliveries/{identifier}")

    async def lock_delivery(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a delivery and keeps others from changing it; raises NotFound."""
        return await _one(connection, rows.by_id(deliveries, lock=True), identifier, f"deliveries/{identifier}")

    async def rating(self, identifier: str) -> Row:
        """Reads a rating; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, rows.by_id(ratings), identifier, f"ratings/{identifier}")

    async def ratings_of(self, connection: AsyncConnection, case_name: str) -> Sequence[Row]:
        """Reads the ratings of a case."""
        return (await connection.execute(_KINDS_OF_RATING, {rows.KEY: case_name})).all()


async def _one(connection: AsyncConnection, query: sa.Select[Any], key: str, name: str) -> Row:
    row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
    if row is None:
        raise not_found(name)
    return row


@cache
def _page(filters: frozenset[str]) -> Any:
    chosen = "".join(f" AND {_PAGE_FILTERS[name]}" for name in sorted(filters))
    return sa.text(f"""
        {_COLUMNS} WHERE (tasks.due_date, tasks.id) > (CAST(:due AS date), CAST(:after AS uuid)){chosen}
        ORDER BY tasks.due_date, tasks.id LIMIT :size
    """).columns(*_TYPES)
