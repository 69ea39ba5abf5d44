"""The tables of personal codes, and what is asked of them."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.audit.log import AuditEntry
from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.evidence import record_values, recorded_each
from libs.db.query import Query, joined, of
from libs.db.statement import Statement
from services.identity.codes.rules import SHOW, CodeScene
from services.identity.core import schema
from services.identity.core.accounts import persons

HANDLE = Column("codes", "handle")
_SHARDS = 64
"""A day's count of one kind is the sum of so many rows: who count at the same time seldom want the same."""

code_scans = sa.Table(
    "code_scans",
    schema.METADATA,
    sa.Column("code", sa.LargeBinary, primary_key=True),
    sa.Column("scene", sa.Text, primary_key=True),
    sa.Column("scan", sa.LargeBinary, nullable=False),
    columns.moment("expire_time", nullable=False),
    sa.Index("code_scans_expired", "expire_time"),
    comment="Personal codes that were scanned, once in each scene; kept for a while behind their end.",
)
code_counts = sa.Table(
    "code_counts",
    schema.METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("shard", sa.SmallInteger, primary_key=True, autoincrement=False),
    *columns.amounts("amount"),
    comment="How many personal codes were made and scanned on a day; the sum over the shards counts.",
)


@of(joined(id=persons.c.id, state=persons.c.state, kinds=sa.Column(type_=ARRAY(sa.Text), nullable=False)))
@dataclass(frozen=True, slots=True)
class GateHolder:
    """What a gate asks of who holds a code: whether the account is in use, and which kinds of cards are bound."""

    id: str
    state: str
    kinds: tuple[str, ...]


_HOLDERS = Query(
    GateHolder,
    """
SELECT {columns} FROM (
  SELECT p.id, p.state, ARRAY(
    SELECT b.kind FROM credential_bindings AS b WHERE b.person = p.id AND b.state = 'ACTIVE' ORDER BY b.kind
  ) AS kinds
  FROM persons AS p WHERE p.id = ANY(CAST(:ids AS uuid[]))
) AS found
""",
)


@of(joined(day=code_counts.c.day, kind=code_counts.c.kind, amount=code_counts.c.amount))
@dataclass(frozen=True, slots=True)
class DayCount:
    """How often something was counted on a day."""

    day: date
    kind: str
    amount: int


_COUNTS = Query(
    DayCount,
    """
SELECT {columns} FROM (
  SELECT day, kind, CAST(sum(amount) AS bigint) AS amount FROM code_counts
  WHERE day BETWEEN :start AND :end GROUP BY day, kind
) AS counted ORDER BY day, kind
""",
)

# One statement, so that a code that is given was counted, and only who may show one is.
_COUNT_SHOW = Statement("""
INSERT INTO code_counts (day, kind, shard, amount)
SELECT CAST(:day AS date), CAST(:kind AS text), CAST(:shard AS smallint), 1 FROM persons
WHERE id = CAST(:person AS uuid) AND state = 'ACTIVE'
ON CONFLICT (day, kind, shard) DO UPDATE SET amount = code_counts.amount + 1
RETURNING 1
""")

# One statement again: codes are used up, counted, and on record, or nothing is. A repeat changes the row into what it is,
# and so is told apart from another scan, also from one under way.
_SCAN = recorded_each(
    """
asked AS (
  SELECT * FROM unnest(CAST(:codes AS bytea[]), CAST(:scans AS bytea[]), CAST(:ends AS timestamptz[])) AS a (code, scan, ends)
), scanned AS (
  INSERT INTO code_scans (code, scene, scan, expire_time) SELECT code, CAST(:scene AS text), scan, ends FROM asked
  ON CONFLICT (code, scene) DO UPDATE SET scan = excluded.scan WHERE code_scans.scan = excluded.scan
  RETURNING code, (xmax = 0) AS first
), counted AS (
  INSERT INTO code_counts (day, kind, shard, amount)
  SELECT CAST(:day AS date), CAST(:scene AS text), CAST(:shard AS smallint), count(*) FROM scanned WHERE first HAVING count(*) > 0
  ON CONFLICT (day, kind, shard) DO UPDATE SET amount = code_counts.amount + excluded.amount
)""",
    when="EXISTS (SELECT FROM scanned)",
    answer="SELECT code FROM scanned",
)
_FORGET = Statement("""
DELETE FROM code_scans WHERE (code, scene) IN (
  SELECT code, scene FROM code_scans WHERE expire_time < :before ORDER BY expire_time LIMIT :most FOR UPDATE SKIP LOCKED
) RETURNING 1
""")


@dataclass(frozen=True, slots=True)
class ScannedOnce:
    """A scan as it is kept: the code's id, what tells a repeat, and when the code ends."""

    code: bytes
    scan: bytes
    ends: datetime


async def count_show(connection: DatabaseConnection, person: str, day: date) -> bool:
    """Counts a code that is about to be made for ``person`` (an id); tells whether the account is in use."""
    values = {"person": person, "day": day, "kind": SHOW, "shard": _shard()}
    return await _COUNT_SHOW.first(connection, values) is not None


async def scan(
    connection: DatabaseConnection, scene: CodeScene, scans: Sequence[ScannedOnce], day: date, entry: AuditEntry
) -> frozenset[bytes]:
    """Uses codes up, each once and in the order of their ids, counts them, and writes ``entry`` where there was one.

    Returns the ids of those that were used up by these very scans, now or before; the others were scanned before by others.
    """
    values = {
        "codes": [each.code for each in scans],
        "scans": [each.scan for each in scans],
        "ends": [each.ends for each in scans],
        "scene": scene.value,
        "day": day,
        "shard": _shard(),
        **record_values([entry], [""]),
    }
    return frozenset(row[0] for row in await _SCAN.all(connection, values))


async def forget(connection: DatabaseConnection, before: datetime, most: int) -> int:
    """Forgets at most ``most`` scans of codes that ended before then; returns how many."""
    return len(await _FORGET.all(connection, {"before": before, "most": most}))


async def holders(connection: DatabaseConnection, ids: Collection[str]) -> dict[str, GateHolder]:
    """Reads what a gate asks of holders, by their ids."""
    return {each.id: each for each in await _HOLDERS.all(connection, ids=list(ids))}


async def counts(connection: DatabaseConnection, start: date, end: date) -> list[DayCount]:
    """Reads what was counted on the days from ``start`` to ``end``, both included, in order."""
    return await _COUNTS.all(connection, start=start, end=end)


def _shard() -> int:
    return secrets.randbelow(_SHARDS)
