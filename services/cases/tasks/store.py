"""Work queues in PostgreSQL."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Page, Query, Update, of
from libs.errors import not_found
from services.cases.core import schema
from services.cases.core.cases import id_of

tasks = sa.Table(
    "tasks",
    schema.METADATA,
    columns.record_id(),
    schema.case_id(),
    *columns.given("kind", "state", "department"),
    columns.text("assignee"),
    sa.Column("due_date", sa.Date, nullable=False),
    columns.moment("claim_time"),
    columns.moment("end_time"),
    *columns.life(),
    sa.Index("tasks_case", "case_id"),
    sa.Index("tasks_open", "department", "due_date", "id", postgresql_where=sa.text("state IN ('OPEN', 'CLAIMED')")),
    comment="Work queues; a task without a deadline is due on 9999-12-31.",
)

_shown_tasks = sa.Table(
    "shown_tasks",
    # No table of the database: what a task is shown with, by the statement that joins it to its case.
    sa.MetaData(),
    *(sa.Column(each.name, each.type, nullable=each.nullable) for each in tasks.columns),
    sa.Column("number", sa.Text),
    sa.Column("item", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("clock_start", sa.Date),
    sa.Column("standstills", ARRAY(sa.Date), nullable=False),
    sa.Column("extension_days", sa.SmallInteger, nullable=False),
    columns.moment("accept_time"),
    columns.moment("clock_end"),
)


@of(tasks)
@dataclass(frozen=True, slots=True)
class QueuedTask:
    """A task of a department."""

    id: str
    case_id: str
    kind: str
    state: str
    department: str
    assignee: str
    version: int


@of(_shown_tasks)
@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task with what of its case is shown beside it, or its deadline is derived from."""

    id: str
    case_id: str
    kind: str
    state: str
    department: str
    assignee: str
    due_date: date
    claim_time: datetime | None
    end_time: datetime | None
    version: int
    create_time: datetime
    update_time: datetime
    number: str | None
    item: str
    clock_start: date | None
    standstills: tuple[date, ...]
    extension_days: int
    accept_time: datetime | None
    clock_end: datetime | None


_SHOWN = """
{columns:shown} FROM (
  SELECT tasks.*, cases.number, cases.item, cases.clock_start, cases.standstills, cases.extension_days,
    cases.accept_time, coalesce(cases.decide_time, cases.end_time) AS clock_end
  FROM tasks JOIN cases ON cases.id = tasks.case_id
) AS shown
"""
UPDATE = Update(QueuedTask)
_LOCK = Query(QueuedTask, "SELECT {columns} FROM tasks WHERE id = CAST(:id AS uuid) FOR UPDATE")
_ONE = Query(ShownTask, f"SELECT {_SHOWN} WHERE id = CAST(:id AS uuid)")
_LISTED = Page(
    ShownTask,
    _SHOWN,
    "due_date, id",
    {
        "department": "department = :department",
        "kind": "kind = :kind",
        "state": "state = :state",
        "case_id": "case_id = CAST(:case_id AS uuid)",
        "assignee": "assignee = :assignee",
        "waiting": "state IN ('OPEN', 'CLAIMED') AND CAST(:waiting AS boolean)",
        "due": "(due_date, id) > (CAST(:due AS date), CAST(:after AS uuid))",
        "after": "CAST(:after AS uuid) IS NOT NULL",
    },
)


async def lock(connection: DatabaseConnection, name: str) -> QueuedTask:
    """Reads a task and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def shown(connection: DatabaseConnection, name: str) -> ShownTask:
    """Reads a task that is there, with what of its case is shown beside it."""
    return await _ONE.one(connection, id=id_of(name))


async def page(database: Database, size: int, **filters: Any) -> list[ShownTask]:
    """Lists tasks, the nearest deadline first.

    Filters: ``department``, ``kind``, ``state``, ``case_id``, ``assignee``, ``waiting`` (not ended yet); ``due`` and ``after``
    (the deadline and the id of the last one before).
    """
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
