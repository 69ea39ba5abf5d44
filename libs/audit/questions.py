"""Questions to other parties whose answer never came to be recorded: the process died, or the answer was lost.

The record of the question stands in the log before it leaves. Where no record of the answer follows, nobody could tell
whether data came: a sweep writes the record that says so, under the same transaction id.
"""

from dataclasses import replace
from datetime import timedelta

import sqlalchemy as sa

from libs.audit.log import Log
from libs.audit.records import parse_canonical
from libs.audit.writer import OpenQuestion
from libs.clock import Clock
from libs.db.engine import Database
from libs.sweeps.sweep import Backlog

_OPEN = "SELECT key, party FROM retries WHERE task = :task"
_RECORD = sa.text("SELECT canonical FROM audit_records WHERE id = :id")
_UNANSWERED = sa.text("""
WITH question AS (
  DELETE FROM retries WHERE task = :task AND key = :key RETURNING key
), written AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  SELECT :id, :record_time, :transaction_id, :object, :canonical, :leaf_hash FROM question RETURNING seq
)
INSERT INTO audit_pending (seq) SELECT seq FROM written
""").bindparams(
    *(sa.bindparam(name, type_=sa.Text) for name in ("id", "transaction_id", "object")),
    *(sa.bindparam(name, type_=sa.LargeBinary) for name in ("canonical", "leaf_hash")),
    sa.bindparam("record_time", type_=sa.DateTime(timezone=True)),
)


def unanswered(database: Database, log: Log, clock: Clock, question: OpenQuestion, action: str) -> Backlog:
    """Follows questions of one kind; the record of one that stays unanswered names ``action`` and no field."""

    async def tell(identifier: str) -> None:
        async with database.read() as connection:
            canonical = await connection.scalar(_RECORD, {"id": identifier})
            assert canonical is not None, "a question is opened by its record"
            asked = parse_canonical(canonical)
            entry = log.again(
                replace(
                    asked,
                    action=action,
                    result="DEPENDENCY_UNAVAILABLE",
                    fields=(),
                    record_count=0,
                    response_digest=b"",
                ),
                clock.now(),
            )
            await connection.execute(
                _UNANSWERED,
                {
                    "task": question.task,
                    "key": identifier,
                    "id": entry.id,
                    "record_time": entry.record_time,
                    "transaction_id": entry.transaction_id,
                    "object": entry.object,
                    "canonical": entry.canonical,
                    "leaf_hash": entry.leaf_hash,
                },
            )

    return Backlog(
        question.task, _OPEN, tell, lambda: {"task": question.task}, confirm=timedelta(seconds=question.patience)
    )
