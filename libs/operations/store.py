"""Operations in PostgreSQL. Times, and with them leases, are the database's own: replicas may differ by a minute.

Whatever a worker writes names it: of one whose lease another has taken over nothing is written.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from libs.db.engine import Database
from libs.db.query import Query, joined, of
from libs.db.schema import operations
from libs.db.statement import Statement
from libs.operations.rules import LongOperation

of(operations)(LongOperation)


@of(joined(count=sa.Column(type_=sa.Integer, nullable=False)))
@dataclass(frozen=True, slots=True)
class OperationsUnderWay:
    """How many operations a caller has under way."""

    count: int


_MINE = "WHERE id = CAST(:id AS uuid) AND worker = :worker AND end_time IS NULL RETURNING {columns}"
_CHANGED = "version = version + 1, update_time = now()"
_ENDED = f"end_time = now(), expire_time = now() + CAST(:kept AS interval), {_CHANGED}"

ADD = Query(
    LongOperation,
    """
INSERT INTO operations (id, method, owner, actor, trace, request, lease_time, create_time, update_time)
VALUES (CAST(:id AS uuid), :method, :owner, :actor, :trace, :request, now(), now(), now()) RETURNING {columns}
""",
)
UNDER_WAY = Query(
    OperationsUnderWay,
    """
SELECT {columns} FROM (
  SELECT CAST(count(*) AS integer) AS count FROM operations WHERE owner = :owner AND end_time IS NULL
) AS held
""",
)
# The one that waits longest. Of two workers that look at the same moment each gets another.
CLAIM = Query(
    LongOperation,
    f"""
UPDATE operations SET worker = :worker, lease_time = now() + CAST(:lease AS interval), attempts = attempts + 1,
  stalls = stalls + 1, start_time = coalesce(start_time, now()), {_CHANGED}
WHERE id = (
  SELECT waiting.id FROM operations AS waiting WHERE waiting.end_time IS NULL AND waiting.lease_time <= now()
    AND waiting.method = ANY(CAST(:methods AS text[])) ORDER BY waiting.lease_time LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING {{columns}}
""",  # noqa: S608 - texts of our own
)
RENEW = Query(LongOperation, f"UPDATE operations SET lease_time = now() + CAST(:lease AS interval) {_MINE}")  # noqa: S608 - as above
NOTE = Query(
    LongOperation,
    f"""
UPDATE operations SET phase = :phase, done = CAST(:done AS bigint), total = CAST(:total AS bigint), checkpoint = :checkpoint,
  stalls = 0, lease_time = now() + CAST(:lease AS interval), {_CHANGED} {_MINE}
""",  # noqa: S608 - as above
)
# Given back: taken up again after a pause, by whoever looks then.
RELEASE = Query(
    LongOperation,
    f"UPDATE operations SET worker = '', lease_time = now() + CAST(:pause AS interval), {_CHANGED} {_MINE}",  # noqa: S608 - as above
)
# A process that is about to stop leaves nothing undone that counts as a stall.
LEAVE = Query(
    LongOperation,
    f"UPDATE operations SET worker = '', lease_time = now(), stalls = stalls - 1, {_CHANGED} {_MINE}",  # noqa: S608 - as above
)
SUCCEED = Query(LongOperation, f"UPDATE operations SET response = :response, done = total, {_ENDED} {_MINE}")  # noqa: S608 - as above
FAIL = Query(LongOperation, f"UPDATE operations SET error = :error, {_ENDED} {_MINE}")  # noqa: S608 - as above
# Whoever has it has lost it with this.
INTERRUPT = Query(
    LongOperation,
    f"""
UPDATE operations SET error = :error, worker = '', {_ENDED} WHERE id = CAST(:id AS uuid) AND end_time IS NULL RETURNING {{columns}}
""",  # noqa: S608 - as above
)
CANCEL = Statement(
    f"""
UPDATE operations SET cancel_requested = TRUE, lease_time = CASE WHEN worker = '' THEN now() ELSE lease_time END, {_CHANGED}
WHERE id = CAST(:id AS uuid) AND end_time IS NULL
"""  # noqa: S608 - as above
)
FORGET = Statement("DELETE FROM operations WHERE id = CAST(:id AS uuid) AND end_time IS NOT NULL")
BY_ID = Query(LongOperation, "SELECT {columns} FROM operations WHERE id = CAST(:id AS uuid)")
LOCKED = Query(LongOperation, "SELECT {columns} FROM operations WHERE id = CAST(:id AS uuid) FOR UPDATE")


async def find(database: Database, key: str) -> LongOperation | None:
    """Reads an operation by its id."""
    async with database.read() as connection:
        return await BY_ID.first(connection, id=key)
