"""Cases in PostgreSQL. A change of a case is one statement: the row, its step in the history, its tasks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.envelope import Column, FieldCipher
from libs.db import rows
from libs.db.engine import Database, Row
from libs.db.statement import Statement
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from services.cases.domain.numbers import number_prefix
from services.cases.tables import case_history, case_licenses, case_standstills, cases
from tongban.cases.v1 import resources_pb2 as pb

SEALED = Column("cases", "sealed")
NOTE = Column("case_history", "note")
REASON = Column("case_standstills", "reason")
NO_DEADLINE = date(9999, 12, 31)
"""The due date of a task that has none."""


@dataclass(slots=True)
class CaseRecord:
    """A row of ``cases`` in memory, its sealed part opened as ``content``. Set ``changed`` where that was changed."""

    id: str
    number: str | None
    item: str
    task_code: str
    category: str
    department: str
    state: str
    channel: str
    applicant: str
    agent: str
    mandate: str
    created_by: str
    assurance: int
    home_region: str
    receiving_region: str
    transfer: str | None
    sealed: bytes
    outcome: str
    license: str
    license_identifier: str
    received_by: str
    accepted_by: str
    reviewed_by: str
    rating: str
    delivery: str | None
    clock_start: date | None
    standstills: list[date]
    due_date: date | None
    calendar_edition: int
    extension_days: int
    steps: int
    submit_time: datetime | None
    accept_time: datetime | None
    decide_time: datetime | None
    close_time: datetime | None
    deliver_time: datetime | None
    end_time: datetime | None
    rate_time: datetime | None
    version: int
    create_time: datetime
    update_time: datetime
    received_human: str
    accepted_human: str
    content: pb.Case = field(default_factory=pb.Case)
    changed: bool = False

    @property
    def name(self) -> str:
        """`cases/<id>`."""
        return f"cases/{self.id}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step in a case's life.

    Attributes:
        action: what was done, a name of CaseAction.
        from_state: the state before; empty for the first step.
        actor: who did it.
        department: theirs, or empty.
        note: the words that went with it.
        end_tasks: what becomes of the open tasks: ``DONE``, ``CANCELLED``, or empty where they stay.
        open_task: the kind of the task that follows, or empty.
    """

    action: str
    from_state: str
    actor: str
    department: str = ""
    note: str = ""
    end_tasks: str = ""
    open_task: str = ""


@dataclass(frozen=True, slots=True)
class StandstillRow:
    """One row of the ledger."""

    phase: str
    procedure: str
    reason: str
    start_time: datetime
    end_time: datetime | None


_COLUMNS = tuple(column.name for column in cases.columns)
assert tuple(each.name for each in fields(CaseRecord))[: len(_COLUMNS)] == _COLUMNS

_MUTABLE = tuple(
    name
    for name in _COLUMNS
    if name
    not in {
        "id",
        "item",
        "task_code",
        "category",
        "department",
        "channel",
        "applicant",
        "agent",
        "mandate",
        "created_by",
        "home_region",
        "receiving_region",
        "transfer",
        "create_time",
    }
)
_STORY = """
INSERT INTO case_history (case_id, sequence, action, from_state, to_state, actor, department, note, event_time)
VALUES (:id, :steps, :action, :from_state, :state, :actor, :actor_department, :note, :update_time)
"""
_INSERT = Statement(f"""
WITH made AS (
  INSERT INTO cases ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
) {_STORY}
""")  # noqa: S608 - made of column names of our own
_OPEN_TASK = """
INSERT INTO tasks (id, case_id, kind, state, department, due_date, create_time, update_time)
SELECT CAST(:task_id AS uuid), CAST(:id AS uuid), :open_task, 'OPEN', :task_department, CAST(:task_due AS date),
  CAST(:update_time AS timestamptz), CAST(:update_time AS timestamptz)
WHERE :open_task <> ''
"""
_SET = ", ".join(f"{name} = :{name}" for name in _MUTABLE)
_CHANGE = """
changed AS (
  UPDATE cases SET {assignments} WHERE id = :id
), story AS ({story}), ended AS (
  UPDATE tasks SET state = :end_tasks, end_time = :update_time, update_time = :update_time, version = version + 1,
    assignee = CASE WHEN assignee = '' THEN :assignee ELSE assignee END
  WHERE :end_tasks <> '' AND case_id = :id AND state IN ('OPEN', 'CLAIMED')
) {task}
"""
_SAVE = Statement(f"WITH {_CHANGE.format(assignments=_SET, story=_STORY, task=_OPEN_TASK)}")
# The counter's row is held until the commit, so it is drawn last and in the same statement. A number that turns out too
# high is cut here and refused by the rule that makes it, with the whole transaction.
_SAVE_NUMBERED = Statement(f"""
WITH drawn AS (
  INSERT INTO case_numbers (task_code, day, last) VALUES (:draw_code, :draw_day, 1)
  ON CONFLICT (task_code, day) DO UPDATE SET last = case_numbers.last + 1 RETURNING last
), {
    _CHANGE.format(
        assignments=_SET.replace("= :number", "= :draw_prefix || lpad(CAST((SELECT last FROM drawn) AS text), 6, '0')"),
        story=_STORY,
        task=_OPEN_TASK,
    )
} RETURNING (SELECT last FROM drawn)
""")  # noqa: S608 - made of column names of our own
_UPDATE = Statement(f"UPDATE cases SET {', '.join(f'{name} = :{name}' for name in _MUTABLE)} WHERE id = :id")  # noqa: S608
READ_COLUMNS = ", ".join(
    f"CAST({column.name} AS text)" if isinstance(column.type, sa.Uuid) else column.name for column in cases.columns
)
"""The columns of a case as the driver reads them into a ``CaseRecord``, in its order."""

_LISTED = ", ".join(f"cases.{column.name}" for column in cases.columns)
_BY_ID = Statement(f"SELECT {READ_COLUMNS} FROM cases WHERE id = :key")  # noqa: S608 - made of column names of our own
_BY_ID_LOCKED = Statement(f"SELECT {READ_COLUMNS} FROM cases WHERE id = :key FOR UPDATE")  # noqa: S608 - likewise
_BY_NUMBER = Statement(f"SELECT {READ_COLUMNS} FROM cases WHERE number = :key")  # noqa: S608 - likewise
_DUE_TASKS = sa.text("""
UPDATE tasks SET due_date = :due, update_time = :now, version = version + 1
WHERE case_id = :id AND state IN ('OPEN', 'CLAIMED')
""")
_LEDGER = sa.select(case_standstills).where(case_standstills.c.case_id == sa.bindparam(rows.KEY)).order_by("sequence")
_STOP = sa.text("""
INSERT INTO case_standstills (case_id, sequence, phase, procedure, reason, start_time)
SELECT CAST(:id AS uuid), coalesce(max(sequence), 0) + 1, CAST(:phase AS text), CAST(:procedure AS text),
  CAST(:reason AS bytea), CAST(:now AS timestamptz)
FROM case_standstills WHERE case_id = CAST(:id AS uuid)
""")
# Never before its start, whatever the machine's clock says.
_GO = sa.text("""
UPDATE case_standstills SET end_time = greatest(start_time, CAST(:now AS timestamptz))
WHERE case_id = :id AND end_time IS NULL
""")
_LICENSED = sa.text("""
INSERT INTO case_licenses (license, case_id, identifier, issue_time) VALUES (:license, :id, :identifier, :issue_time)
ON CONFLICT DO NOTHING
""")
# By department, for the index that has it first; all of them, for whoever looks takes care of fairness and of the number.
_OF_DEPARTMENTS = """
SELECT cases.id AS key, cases.department AS party FROM (SELECT DISTINCT department FROM items) AS offices
JOIN cases ON cases.department = offices.department
"""
OVERDUE = f"{_OF_DEPARTMENTS} AND cases.state = 'SUBMITTED' AND cases.due_date < :today"
"""Cases whose acceptance period is over, as a sweep looks for them."""
UNLICENSED = f"""
{_OF_DEPARTMENTS} AND cases.state = 'DECIDED' AND cases.license = '' AND cases.outcome <> 'REJECTED'
  AND NOT EXISTS (SELECT 1 FROM tasks WHERE case_id = cases.id AND kind IN ('CLOSE', 'REDECIDE') AND state IN ('OPEN', 'CLAIMED'))
"""  # noqa: S608 - made of a text of our own
"""Decided cases that no officer has to close or to decide anew: they wait for their licence."""
TOLD = """
SELECT told.license AS key, cases.department AS party FROM case_licenses AS told JOIN cases ON cases.id = told.case_id
"""
"""Every licence that the licence service told of, as a comparison goes through them."""
_TOLD_ONE = sa.select(case_licenses).where(case_licenses.c.license == sa.bindparam("license"))
_HISTORY = (
    sa.select(case_history)
    .where(case_history.c.case_id == sa.bindparam("case_id"), case_history.c.sequence > sa.bindparam("after"))
    .order_by(case_history.c.sequence)
    .limit(sa.bindparam("size"))
)
_MINE = """
SELECT id, create_time FROM cases WHERE {column} = :{name} AND {column} <> '' AND (create_time, id) < (:time, CAST(:after AS uuid)){state}
ORDER BY create_time DESC, id DESC LIMIT :size
"""


class CaseStore:
    """Cases, their history, ledger and numbers. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._database = database
        self._cipher = cipher

    def record(self, row: Iterable[Any]) -> CaseRecord:
        """Opens a row."""
        record = CaseRecord(*row)
        record.content = pb.Case.FromString(self._cipher.decrypt(SEALED, record.id, record.sealed))
        return record

    def open_note(self, case_id: str, note: bytes | None) -> str:
        """Opens the note of a step."""
        return self._cipher.decrypt_text(NOTE, case_id, note) if note else ""

    async def read(self, identifier: str) -> CaseRecord:
        """Reads a case; raises NotFound."""
        async with self._database.driver() as driver:
            row = await driver.fetchrow(_BY_ID.text, identifier)
        return self._found(row, f"cases/{identifier}")

    async def read_by_number(self, number: str) -> CaseRecord:
        """Reads the case with this number; raises NotFound."""
        async with self._database.driver() as driver:
            row = await driver.fetchrow(_BY_NUMBER.text, number)
        return self._found(row, "cases")

    async def lock(self, connection: AsyncConnection, identifier: str) -> CaseRecord:
        """Reads a case and keeps others from changing it; raises NotFound."""
        return self._found(await _BY_ID_LOCKED.first(connection, {"key": identifier}), f"cases/{identifier}")

    def _found(self, row: Iterable[Any] | None, name: str) -> CaseRecord:
        if row is None:
            raise not_found(name)
        return self.record(row)

    async def insert(self, connection: AsyncConnection, record: CaseRecord, step: Step) -> None:
        """Inserts a case with its first step; raises RESOURCE_EXISTS where the id is taken."""
        await _INSERT.execute(connection, self._values(record, _COLUMNS) | self._story(record, step))

    async def save(self, connection: AsyncConnection, record: CaseRecord, step: Step) -> None:
        """Writes a changed case, its step and what follows for its tasks; counts its version up."""
        await _SAVE.execute(connection, self._change(record, step))

    async def save_numbered(self, connection: AsyncConnection, record: CaseRecord, step: Step, day: date) -> int:
        """Writes as ``save`` does, with the item's next number of ``day``; returns its sequence.

        Whoever draws after waits until this transaction ends, so that there are no gaps. The step must open a task.
        """
        values = self._change(record, step) | {
            "draw_code": record.task_code,
            "draw_day": day,
            "draw_prefix": number_prefix(record.task_code, day),
        }
        drawn = await _SAVE_NUMBERED.first(connection, values)
        assert drawn is not None
        return int(drawn[0])

    def _change(self, record: CaseRecord, step: Step) -> dict[str, Any]:
        record.version += 1
        return (
            self._values(record, _MUTABLE)
            | self._story(record, step)
            | {
                "end_tasks": step.end_tasks,
                "assignee": step.actor if step.actor.startswith("staff/") else "",
                "task_id": uuid7() if step.open_task else None,
                "open_task": step.open_task,
                "task_department": record.department,
                "task_due": record.due_date or NO_DEADLINE,
            }
        )

    async def save_quietly(self, connection: AsyncConnection, record: CaseRecord) -> None:
        """Writes a case that changed without a step: a check of its materials, its rating, its delivery."""
        record.version += 1
        await _UPDATE.execute(connection, self._values(record, _MUTABLE) | {"id": record.id})

    def _values(self, record: CaseRecord, names: Iterable[str]) -> dict[str, Any]:
        if record.changed:
            content = record.content.SerializeToString()
            record.sealed = self._cipher.encrypt(SEALED, record.id, content)
            record.changed = False
        return {name: getattr(record, name) for name in names}

    def _story(self, record: CaseRecord, step: Step) -> dict[str, Any]:
        note = self._cipher.encrypt_text(NOTE, record.id, step.note) if step.note else None
        return {
            "id": record.id,
            "action": step.action,
            "from_state": step.from_state,
            "actor": step.actor,
            "actor_department": step.department,
            "note": note,
        }

    async def move_tasks(self, connection: AsyncConnection, record: CaseRecord, now: datetime) -> None:
        """Gives the open tasks of a case its new deadline."""
        await connection.execute(_DUE_TASKS, {"id": record.id, "due": record.due_date or NO_DEADLINE, "now": now})

    async def ledger(self, connection: AsyncConnection, case_id: str) -> list[StandstillRow]:
        """Reads the ledger of a case's clock, oldest first."""
        found = (await connection.execute(_LEDGER, {rows.KEY: case_id})).all()
        return [
            StandstillRow(
                row.phase,
                row.procedure,
                self._cipher.decrypt_text(REASON, case_id, row.reason) if row.reason else "",
                row.start_time,
                row.end_time,
            )
            for row in found
        ]

    async def read_ledger(self, case_id: str) -> list[StandstillRow]:
        """Reads the ledger outside of a transaction."""
        async with self._database.read() as connection:
            return await self.ledger(connection, case_id)

    async def stop(self, connection: AsyncConnection, case_id: str, row: StandstillRow) -> None:
        """Opens an interval in the ledger."""
        reason = self._cipher.encrypt_text(REASON, case_id, row.reason) if row.reason else None
        await connection.execute(
            _STOP,
            {
                "id": case_id,
                "phase": row.phase,
                "procedure": row.procedure,
                "reason": reason,
                "now": row.start_time,
            },
        )

    async def go(self, connection: AsyncConnection, case_id: str, now: datetime) -> None:
        """Ends the open interval of the ledger."""
        await connection.execute(_GO, {"id": case_id, "now": now})

    async def licensed(
        self, connection: AsyncConnection, case_id: str, license_name: str, identifier: str, issue_time: datetime
    ) -> None:
        """Notes a licence that was issued on the decision of a case; a repeat changes nothing."""
        values = {"id": case_id, "license": license_name, "identifier": identifier, "issue_time": issue_time}
        await connection.execute(_LICENSED, values)

    async def told(self, license_name: str) -> Row | None:
        """Reads what was told of a licence, or None."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(_TOLD_ONE, {"license": license_name})).first()
            return row

    async def history(self, case_id: str, after: int, size: int) -> Sequence[Row]:
        """Reads up to ``size`` steps after the one with the number ``after``."""
        async with self._database.read() as connection:
            return (await connection.execute(_HISTORY, {"case_id": case_id, "after": after, "size": size})).all()

    async def of_parties(
        self, applicants: Sequence[str], agent: str, filters: dict[str, str], after: tuple[datetime, str], size: int
    ) -> list[CaseRecord]:
        """Lists the cases of up to two applicants and of an agent, newest first, each branch along its own index."""
        names = {f"applicant{number}": name for number, name in enumerate(applicants)} | {"agent": agent}
        query = _of_parties(len(applicants), frozenset(filters))
        return await self._list(query, names | filters, after, size)

    async def filtered(self, filters: dict[str, str], after: tuple[datetime, str], size: int) -> list[CaseRecord]:
        """Lists cases that fit all ``filters`` (column to value), newest first."""
        return await self._list(_filtered(frozenset(filters)), filters, after, size)

    async def _list(
        self, query: sa.TextClause | sa.Select[Any], values: dict[str, str], after: tuple[datetime, str], size: int
    ) -> list[CaseRecord]:
        async with self._database.read() as connection:
            found = await connection.execute(query, values | {"time": after[0], "after": after[1], "size": size})
            return [self.record(row) for row in found]


def _conditions(filters: frozenset[str]) -> str:
    return "".join(f" AND {name} = :{name}" for name in sorted(filters))


@cache
def _of_parties(applicants: int, filters: frozenset[str]) -> Any:
    branches = [("applicant", f"applicant{number}") for number in range(applicants)] + [("agent", "agent")]
    union = " UNION ".join(
        f"({_MINE.format(column=column, name=name, state=_conditions(filters))})" for column, name in branches
    )
    return _typed(f"""
        SELECT {_LISTED} FROM cases JOIN ({union}) AS mine USING (id)
        ORDER BY cases.create_time DESC, cases.id DESC LIMIT :size
    """)  # noqa: S608 - made of column names of our own


@cache
def _filtered(filters: frozenset[str]) -> Any:
    return _typed(f"""
        SELECT {_LISTED} FROM cases WHERE (create_time, id) < (:time, CAST(:after AS uuid)){_conditions(filters)}
        ORDER BY create_time DESC, id DESC LIMIT :size
    """)  # noqa: S608 - made of column names of our own


def _typed(text: str) -> Any:
    return sa.text(text).columns(*cases.columns)
