"""Steps of cases, as they are written: one statement for the row, its step in the history, and its tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.change import Change
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.db.schema import EVIDENCE
from libs.ids.uuid7 import uuid7
from services.cases.core import schema
from services.cases.core.cases import COLUMNS, SEALED, CaseRecord
from services.cases.core.numbers import number_prefix

NOTE = Column("case_history", "note")
NO_DEADLINE = date(9999, 12, 31)
"""The due date of a task that has none."""

case_numbers = sa.Table(
    "case_numbers",
    schema.METADATA,
    sa.Column("task_code", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
    comment="The last case number given for an item on a day.",
)

case_history = sa.Table(
    "case_history",
    schema.METADATA,
    sa.Column("case_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    *columns.given("action", "from_state", "to_state", "actor", "department"),
    sa.Column("note", sa.LargeBinary),
    columns.moment("event_time", nullable=False),
    info=EVIDENCE,
    comment="What was done with each case, step by step.",
)


@of(case_numbers)
@dataclass(frozen=True, slots=True)
class DrawnNumber:
    """The sequence that a case got."""

    last: int


@of(case_history)
@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A step as it stands in the history, its note encrypted."""

    sequence: int
    action: str
    from_state: str
    to_state: str
    actor: str
    department: str
    note: bytes | None
    event_time: datetime


@dataclass(frozen=True, slots=True)
class CaseStep:
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


_FIXED = frozenset(
    {
        *("id", "item", "task_code", "category", "department", "channel", "applicant", "agent", "mandate"),
        *("created_by", "home_region", "receiving_region", "transfer", "create_time"),
    }
)
_CHANGING = tuple(name for name in COLUMNS if name not in _FIXED)
_SET = ", ".join(f"{name} = :{name}" for name in _CHANGING)
_HISTORY = """
INSERT INTO case_history (case_id, sequence, action, from_state, to_state, actor, department, note, event_time)
VALUES (:id, :steps, :action, :from_state, :state, :actor, :actor_department, :note, :update_time)
"""
_OPEN_TASK = """
INSERT INTO tasks (id, case_id, kind, state, department, due_date, create_time, update_time)
SELECT CAST(:task_id AS uuid), CAST(:id AS uuid), :open_task, 'OPEN', :task_department, CAST(:task_due AS date),
  CAST(:update_time AS timestamptz), CAST(:update_time AS timestamptz)
WHERE :open_task <> ''
"""
_CHANGE = f"""
changed AS (
  UPDATE cases SET {{assignments}} WHERE id = :id
), story AS ({_HISTORY}), ended AS (
  UPDATE tasks SET state = :end_tasks, end_time = :update_time, update_time = :update_time, version = version + 1,
    assignee = CASE WHEN assignee = '' THEN :assignee ELSE assignee END
  WHERE :end_tasks <> '' AND case_id = :id AND state IN ('OPEN', 'CLAIMED')
)"""  # noqa: S608 - texts of our own
_TASK = f", task AS ({_OPEN_TASK})"
_OPENED = Change(
    CaseRecord,
    f"""
made AS (
  INSERT INTO cases ({", ".join(COLUMNS)}) VALUES ({", ".join(f":{name}" for name in COLUMNS)})
), story AS ({_HISTORY})
""",  # noqa: S608 - names of our own columns
)
_CHANGED = Change(CaseRecord, _CHANGE.format(assignments=_SET) + _TASK)
# The counter's row is held until the commit, so it is drawn last and in the same statement. A number that turns out too
# high is cut here and refused by the rule that makes it, with the whole transaction.
_NUMBER = ":draw_prefix || lpad(CAST((SELECT last FROM drawn) AS text), 6, '0')"
_NUMBERED = Query(
    DrawnNumber,
    f"""
WITH drawn AS (
  INSERT INTO case_numbers (task_code, day, last) VALUES (:draw_code, :draw_day, 1)
  ON CONFLICT (task_code, day) DO UPDATE SET last = case_numbers.last + 1 RETURNING last
), {_CHANGE.format(assignments=_SET.replace("= :number", f"= {_NUMBER}"))} {_OPEN_TASK} RETURNING (SELECT last FROM drawn)
""",  # noqa: S608 - names of our own columns
)
_WRITTEN = Query(CaseRecord, f"UPDATE cases SET {_SET} WHERE id = :id")  # noqa: S608 - names of our own columns


@dataclass(frozen=True, slots=True)
class StepWriter:
    """Writes cases with their steps; every method belongs to the caller's transaction."""

    cipher: FieldCipher

    def note(self, case_id: str, note: bytes | None) -> str:
        """Opens the note of a step."""
        return self.cipher.decrypt_text(NOTE, case_id, note) if note else ""

    async def open(self, connection: DatabaseConnection, record: CaseRecord, step: CaseStep) -> None:
        """Adds a case with its first step; the transaction raises RESOURCE_EXISTS where the id is taken."""
        await _OPENED.put_off(connection, **self._values(record, COLUMNS), **self._story(record, step))

    async def change(self, connection: DatabaseConnection, record: CaseRecord, step: CaseStep) -> None:
        """Writes a changed case, its step and what follows for its tasks; counts its version up."""
        await _CHANGED.put_off(connection, **self._change(record, step))

    async def number(self, connection: DatabaseConnection, record: CaseRecord, step: CaseStep, day: date) -> int:
        """Writes as ``change`` does, with the item's next number of ``day``; returns its sequence.

        Whoever draws after waits until this transaction ends, so that there are no gaps. The step must open a task.
        """
        draw = {"draw_code": record.task_code, "draw_day": day, "draw_prefix": number_prefix(record.task_code, day)}
        return (await _NUMBERED.one(connection, **self._change(record, step), **draw)).last

    async def write(self, connection: DatabaseConnection, record: CaseRecord) -> None:
        """Writes a case that changed without a step: a check of its materials, its rating, its delivery."""
        record.version += 1
        await _WRITTEN.first(connection, **self._values(record, _CHANGING), id=record.id)

    def _change(self, record: CaseRecord, step: CaseStep) -> dict[str, Any]:
        record.version += 1
        return {
            **self._values(record, _CHANGING),
            **self._story(record, step),
            "id": record.id,
            "end_tasks": step.end_tasks,
            "assignee": step.actor if step.actor.startswith("staff/") else "",
            "task_id": uuid7() if step.open_task else None,
            "open_task": step.open_task,
            "task_department": record.department,
            "task_due": record.due_date or NO_DEADLINE,
        }

    def _values(self, record: CaseRecord, names: Iterable[str]) -> dict[str, Any]:
        if record.changed:
            record.sealed = self.cipher.encrypt(SEALED, record.id, record.content.SerializeToString())
            record.changed = False
        return {name: getattr(record, name) for name in names}

    def _story(self, record: CaseRecord, step: CaseStep) -> dict[str, Any]:
        return {
            "action": step.action,
            "from_state": step.from_state,
            "actor": step.actor,
            "actor_department": step.department,
            "note": self.cipher.encrypt_text(NOTE, record.id, step.note) if step.note else None,
        }
