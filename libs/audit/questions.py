"""Questions to other parties whose answer never came to be recorded: the process died, or the answer was lost.

The record of the question stands in the log before it leaves. Where no record of the answer follows, nobody could tell
whether data came: a sweep writes the record that says so, under the same transaction id.
"""

from dataclasses import replace
from datetime import timedelta

from libs.audit.log import Log
from libs.audit.records import parse_canonical
from libs.audit.rows import RECORD
from libs.audit.writer import OpenQuestion
from libs.clock import Clock
from libs.db.engine import Database
from libs.db.evidence import record_values, recorded_each
from libs.sweeps.sweep import Backlog

_OPEN = "SELECT key, party FROM retries WHERE task = :task"
_UNANSWERED = recorded_each(
    "question AS (DELETE FROM retries WHERE task = :task AND key = :key RETURNING key)",
    when="r.key IN (SELECT key FROM question)",
    answer="SELECT 1",
)


def unanswered(database: Database, log: Log, clock: Clock, question: OpenQuestion, action: str) -> Backlog:
    """Follows questions of one kind; the record of one that stays unanswered names ``action`` and no field."""

    async def tell(identifier: str) -> None:
        async with database.read() as connection:
            found = await RECORD.one(connection, id=identifier)  # a question is opened by its record
            asked = parse_canonical(found.canonical)
            entry = log.again(
                replace(
                    asked,
                    action=action,
                    result="DEPENDENCY_UNAVAILABLE",
                    fields=(),
                    record_count=0,
                    response_hash=b"",
                ),
                clock.now(),
            )
            values = {"task": question.task, "key": identifier, **record_values([entry], [identifier])}
            await _UNANSWERED.execute(connection, values)

    return Backlog(
        question.task, _OPEN, tell, lambda: {"task": question.task}, confirm=timedelta(seconds=question.patience)
    )
