"""Counts uses against their grants' quotas and writes their audit records, both in one statement or neither.

Uses that come within a millisecond, or while a statement is under way, share the next one, so that under load neither the
row of a busy grant nor the disk's flush is paid for by each (group commit).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import asyncpg

from libs.audit.log import Entry
from libs.errors import reasons
from libs.observability.logs import logger, place_of
from services.sharing.domain.grants import Usage
from services.sharing.standing import Held, Standing

_log = logger(__name__)
_LARGEST_BATCH = 256
_GATHER_SECONDS = 0.001
_TIMEOUT = 5.0
_AWAY = ("08", "57P", "53")  # connection, operator intervention, insufficient resources

# A use is counted where the quota has room for it and where resource, mount and grant are those it was decided on. Only
# what was counted is recorded, and only what was recorded is released.
# The day of a quota never goes back: where the machine's clock stepped back over midnight, the later day goes on. A day that
# is further ahead was a clock's error, and would otherwise spend the quota of every day until then.
_SAME = "u.day BETWEEN $10::date AND $10::date + 1"
_SETTLE = f"""
WITH asked AS (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::uuid[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[],
                       $9::bigint[])
    AS a (grant_id, grant_version, resource_id, resource_version, mount_version, uses, used_rows, per_day, total)
), counted AS (
  UPDATE grant_usage u
  SET queries_today = CASE WHEN {_SAME} THEN u.queries_today ELSE 0 END + a.uses,
      day = CASE WHEN {_SAME} THEN u.day ELSE $10::date END,
      rows_total = u.rows_total + a.used_rows
  FROM asked a
  JOIN grants g ON g.id = a.grant_id AND g.version = a.grant_version
  JOIN resources r ON r.id = a.resource_id AND r.version = a.resource_version
  JOIN mounts m ON m.resource_id = a.resource_id AND m.version = a.mount_version
  WHERE u.grant_id = a.grant_id
    AND CASE WHEN {_SAME} THEN u.queries_today ELSE 0 END + a.uses <= a.per_day
    AND u.rows_total + a.used_rows <= a.total
  RETURNING u.grant_id, u.queries_today, u.rows_total, u.day
), written AS (
  INSERT INTO audit_records (id, record_time, transaction_id, object, canonical, leaf_hash)
  SELECT e.id, e.record_time, e.transaction_id, e.object, e.canonical, e.leaf_hash
  FROM unnest($11::uuid[], $12::text[], $13::timestamptz[], $14::text[], $15::text[], $16::bytea[], $17::bytea[]) WITH ORDINALITY
    AS e (grant_id, id, record_time, transaction_id, object, canonical, leaf_hash, n)
  JOIN counted c ON c.grant_id = e.grant_id
  ORDER BY e.n
  RETURNING seq
), pending AS (
  INSERT INTO audit_pending (seq) SELECT seq FROM written
)
SELECT grant_id::text, queries_today, rows_total, day FROM counted
"""  # noqa: S608 - made of a text of our own


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
    """Settles uses, one statement at a time, over a connection of its own."""

    def __init__(self, dsn: str, today: Callable[[], date]) -> None:
        self._dsn = dsn
        self._today = today
        self._connection: Any = None
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
                await asyncio.sleep(_GATHER_SECONDS)
                await self._settle_or_fail(self._next_groups())
        finally:
            self._settling = None

    async def _settle_or_fail(self, groups: list[list[Settlement]]) -> None:
        try:
            await self._settle_groups(groups)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            uses = [use for group in groups for use in group]
            if len(uses) > 1 and _is_of_one(error):
                # One use of the batch can't be written, or two replicas met: that is not the others' fault.
                for use in uses:
                    await self._settle_or_fail([[use]])
                return
            _log.error("uses can't be settled", **place_of(error))
            _fail(groups, error)

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
        try:
            rows = await (await self._connected()).fetch(_SETTLE, *_arguments(groups, today))
        except BaseException:
            # Its answer may still come: it must not meet the next question.
            self._drop()
            raise
        counted = {row[0]: (Usage(row[1], row[2]), row[3]) for row in rows}
        for group in groups:
            usage = counted.get(group[0].held.key)
            if usage is not None:
                _settled(group, *usage)
            elif len(group) > 1:
                # Together they were too many; one by one some may still have room.
                for use in group:
                    use.alone = True
                self._waiting += group
            else:
                _answer(group[0], settled=False)

    async def _connected(self) -> Any:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._dsn,
                timeout=_TIMEOUT,
                command_timeout=_TIMEOUT,
                server_settings={"application_name": "tongban sharing ledger"},
            )
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Closes the connection."""
        self._drop()


def _is_of_one(error: Exception) -> bool:
    """True where the statement was refused for what stands in it, and not because the database is away."""
    refused = isinstance(error, asyncpg.PostgresError) and not str(error.sqlstate or "").startswith(_AWAY)
    return refused or isinstance(error, asyncpg.DataError | ValueError)


def _arguments(groups: list[list[Settlement]], today: date) -> tuple[Any, ...]:
    firsts = [group[0] for group in groups]
    quotas = [first.held.grant.terms.quota for first in firsts]
    entries = [(use.held.key, entry) for group in groups for use in group for entry in use.entries]
    return (
        [first.held.key for first in firsts],
        [first.held.version for first in firsts],
        [first.standing.key.resource for first in firsts],
        [first.standing.versions[0] for first in firsts],
        [first.standing.versions[1] for first in firsts],
        [len(group) for group in groups],
        [sum(use.rows for use in group) for group in groups],
        [quota.queries_per_day for quota in quotas],
        [quota.rows_total for quota in quotas],
        today,
        [grant for grant, _ in entries],
        [entry.id for _, entry in entries],
        [entry.record_time for _, entry in entries],
        [entry.transaction_id for _, entry in entries],
        [entry.object for _, entry in entries],
        [entry.canonical for _, entry in entries],
        [entry.leaf_hash for _, entry in entries],
    )


def _settled(group: list[Settlement], usage: Usage, day: date) -> None:
    for use in group:
        use.held.day, use.held.usage = day, usage
        _answer(use, settled=True)


def _answer(use: Settlement, *, settled: bool) -> None:
    # Whoever waited may have gone: the call was cancelled or its time was over.
    if not use.done.done():
        use.done.set_result(settled)


def _fail(groups: list[list[Settlement]], error: Exception) -> None:
    for use in (use for group in groups for use in group):
        if not use.done.done():
            failure = reasons.audit_unavailable(
                "the audit record can't be written; nothing is released", retry_after=1.0
            )
            failure.__cause__ = error
            use.done.set_exception(failure)
