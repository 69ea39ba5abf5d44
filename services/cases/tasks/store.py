"""Work queues in PostgreSQL."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core import schema
from services.cases.core.cases import id_of
from tongban.cases.v1.task_service_pb2 import CaseTaskState, ListCaseTasksRequest, TaskKind

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
    sa.Index("tasks_of_department", "department", "due_date", "id"),
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


_SOURCE = """(
  SELECT tasks.*, cases.number, cases.item, cases.clock_start, cases.standstills, cases.extension_days,
    cases.accept_time, coalesce(cases.decide_time, cases.end_time) AS clock_end
  FROM tasks JOIN cases ON cases.id = tasks.case_id
)"""
UPDATE = Update(QueuedTask)
_LOCK = Query(QueuedTask, "SELECT {columns} FROM tasks WHERE id = CAST(:id AS uuid) FOR UPDATE")
_ONE = Query(ShownTask, f"SELECT {{columns:shown}} FROM {_SOURCE} AS shown WHERE id = CAST(:id AS uuid)")  # noqa: S608 - a text of our own
WAITING = "state IN ('OPEN', 'CLAIMED')"
LISTED = FilteredList(
    ShownTask,
    ListCaseTasksRequest,
    tasks,
    {
        "kind": fields.choice("kind", TaskKind),
        "state": fields.choice("state", CaseTaskState),
        "case": fields.named("case_id", "cases"),
        "assignee": fields.text("assignee"),
        # What has no deadline stands at the end of the queue, and is due on no day.
        "due_date": fields.day("NULLIF(due_date, DATE '9999-12-31')", nullable=True),
        "create_time": fields.moment("create_time"),
        "claim_time": fields.moment("claim_time", nullable=True),
        "end_time": fields.moment("end_time", nullable=True),
    },
    {
        "due_date": Order(
            ("due_date", "id"),
            (Path(("department",), WAITING), Path(("department",)), Path(("case_id",), few=True)),
        )
    },
    "due_date",
    _SOURCE,
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
