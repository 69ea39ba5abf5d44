"""Counts uses against their grants' quotas and writes their audit records, both in one statement or neither.

Uses that come while a statement is under way wait for the next one and share it, so that under load neither the row of a
busy grant nor the disk's flush is paid for by each (group commit).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.audit.writer import Entry
from libs.db.engine import Database
from libs.errors import TongbanError, Unavailable
from services.sharing.domain.grants import Usage
from services.sharing.standing import Held, Standing

_LARGEST_BATCH = 256

# A use is counted where the quota has room for it and where resource, mount and grant are those it was decided on. Only
# what was counted is recorded, and only what was recorded is released.
_SETTLE = sa.text("""
WITH asked AS (
  SELECT * FROM unnest(:grants, :grant_versions, :resources, :resource_versions, :mount_versions, :uses, :rows,
                       :per_day, :totals)
    AS a (grant_id, grant_version, resource_id, resource_version, mount_version, uses, used_rows, per_day, total)
), counted AS (
  UPDATE grant_usage u
  SET queries_today = CASE WHEN u.day = :today THEN u.queries_today ELSE 0 END + a.uses,
      day = :today,
      rows_total = u.rows_total + a.used_rows
  FROM asked a
  JOIN grants g ON g.id = a.grant_id AND g.version = a.grant_version
  JOIN resources r ON r.id = a.resource_id AND r.version = a.resource_version
  JOIN mounts m ON m.resource_id = a.resource_id AND m.version = a.mount_version
  WHERE u.grant_id = a.grant_id
    AND CASE WHEN u.day = :today THEN u.queries_today ELSE 0 END + a.uses <= a.per_day
    AND u.rows_total + a.used_rows <= a.total
  RETURNING u.grant_id, u.queries_today, u.rows_total
), written AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  SELECT e.id, e.record_time, e.transaction_id, e.object, e.canonical, e.leaf_hash
  FROM unnest(:entry_grants, :ids, :times, :transactions, :objects, :canonicals, :leaves) WITH ORDINALITY
    AS e (grant_id, id, record_time, transaction_id, object, canonical, leaf_hash, n)
  JOIN counted c ON c.grant_id = e.grant_id
  ORDER BY e.n
  RETURNING seq
), pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM written
)
SELECT grant_id, queries_today, rows_total FROM counted
""").bindparams(
    *(sa.bindparam(name, type_=ARRAY(sa.Uuid(as_uuid=False))) for name in ("grants", "resources", "entry_grants")),
    *(sa.bindparam(name, type_=ARRAY(sa.Integer)) for name in ("grant_versions", "resource_versions", "mount_versions")),
    *(sa.bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("uses", "rows", "per_day", "totals")),
    *(sa.bindparam(name, type_=ARRAY(sa.Text)) for name in ("ids", "transactions", "objects")),
    *(sa.bindparam(name, type_=ARRAY(sa.LargeBinary)) for name in ("canonicals", "leaves")),
    sa.bindparam("times", type_=ARRAY(sa.DateTime(timezone=True))),
    sa.bindparam("today", type_=sa.Date),
).columns(grant_id=sa.Uuid(as_uuid=False), queries_today=sa.BigInteger, rows_total=sa.BigInteger)  # fmt: skip


@dataclass(slots=True, eq=False)
class Settlement:
    """One use that waits to be settled.

    Attributes:
        standing, held: what it was decided on.
        rows: how many rows leave.
        entries: its audit records.
    """

    standing: Standing
    held: Held
    rows: int
    entries: Sequence[Entry]
    alone: bool = False
    done: "asyncio.Future[bool]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def stamp(self) -> tuple[object, ...]:
        """What has to be equal for two uses of one grant to be settled together."""
        return self.held.version, self.standing.key.resource, self.standing.versions

    def joins(self, group: "list[Settlement]") -> bool:
        """Tells whether this use can be settled together with those of ``group``, which are of the same grant."""
        return not group or not (self.alone or group[0].alone or self.stamp != group[0].stamp)


class Ledger:
    """Settles uses, one statement at a time."""

    def __init__(self, database: Database, today: Callable[[], date]) -> None:
        self._database = database
        self._today = today
        self._waiting: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None

    async def settle(self, use: Settlement) -> bool:
        """Counts and records a use.

        Returns:
            False where quota or versions are not what the use was decided on: nothing was counted then.

        Raises:
            Unavailable: AUDIT_UNAVAILABLE.
        """
        self._waiting.append(use)
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle_waiting())
        return await use.done

    async def _settle_waiting(self) -> None:
        try:
            while self._waiting:
                groups = self._next_groups()
                try:
                    await self._settle_groups(groups)
                except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                    _fail(groups, error)
        finally:
            self._settling = None

    def _next_groups(self) -> list[list[Settlement]]:
        groups: dict[str, list[Settlement]] = {}
        later: list[Settlement] = []
        for position, use in enumerate(self._waiting):
            group = groups.setdefault(use.held.key, [])
            if position < _LARGEST_BATCH and use.joins(group):
                group.append(use)
            else:
                later.append(use)
        self._waiting = later
        return [group for group in groups.values() if group]

    async def _settle_groups(self, groups: list[list[Settlement]]) -> None:
        today = self._today()
        async with self._database.read() as connection:
            counted = {row.grant_id: row for row in await connection.execute(_SETTLE, _parameters(groups, today))}
        for group in groups:
            row = counted.get(group[0].held.key)
            if row is not None:
                _settled(group, today, Usage(row.queries_today, row.rows_total))
            elif len(group) > 1:
                # Together they were too many; one by one some may still have room.
                for use in group:
                    use.alone = True
                self._waiting += group
            else:
                _answer(group[0], settled=False)


def _parameters(groups: list[list[Settlement]], today: date) -> dict[str, Any]:
    firsts = [group[0] for group in groups]
    entries = [(use.held.key, entry) for group in groups for use in group for entry in use.entries]
    quotas = [first.held.grant.terms.quota for first in firsts]
    return {
        "today": today,
        "grants": [first.held.key for first in firsts], "grant_versions": [first.held.version for first in firsts],
        "resources": [first.standing.key.resource for first in firsts],
        "resource_versions": [first.standing.versions[0] for first in firsts],
        "mount_versions": [first.standing.versions[1] for first in firsts],
        "uses": [len(group) for group in groups], "rows": [sum(use.rows for use in group) for group in groups],
        "per_day": [quota.queries_per_day for quota in quotas], "totals": [quota.rows_total for quota in quotas],
        "entry_grants": [grant for grant, _ in entries], "ids": [e.id for _, e in entries],
        "times": [e.record_time for _, e in entries], "transactions": [e.transaction_id for _, e in entries],
        "objects": [e.object for _, e in entries], "canonicals": [e.canonical for _, e in entries],
        "leaves": [e.leaf_hash for _, e in entries],
    }  # fmt: skip


def _settled(group: list[Settlement], today: date, usage: Usage) -> None:
    for use in group:
        use.held.day, use.held.usage = today, usage
        _answer(use, settled=True)


def _answer(use: Settlement, *, settled: bool) -> None:
    # Whoever waited may have gone: the call was cancelled or its time was over.
    if not use.done.done():
        use.done.set_result(settled)


def _fail(groups: list[list[Settlement]], error: Exception) -> None:
    for use in (use for group in groups for use in group):
        if not use.done.done():
            use.done.set_exception(_unavailable(error))


def _unavailable(error: Exception) -> Exception:
    if not isinstance(error, TongbanError):
        return error
    failure = Unavailable(
        "AUDIT_UNAVAILABLE", "the audit record can't be written; nothing is released", retry_after=1.0
    )
    failure.__cause__ = error
    return failure
