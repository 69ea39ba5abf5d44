"""Counts uses against their grants' quotas and writes their audit records, both in one statement or neither.

Uses that come within a millisecond, or while a statement is under way, share the next one, so that under load neither the
row of a busy grant nor the disk's flush is paid for by each (group commit).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.audit.log import AuditEntry
from libs.civil.calendar import local_day
from libs.clock import Clock
from libs.db.engine import Database
from libs.db.evidence import record_values, recorded_each
from libs.db.failures import is_refused
from libs.errors import TongbanError, reasons
from libs.observability.logs import logger, place_of
from services.sharing.core.granting import Quota
from services.sharing.core.grants import GrantUsage

_log = logger(__name__)
_LARGEST_BATCH = 256
_GATHER_SECONDS = 0.001

# A use is counted where the quota has room for it and where resource, mount and grant are those it was decided on. Only
# what was counted is recorded, and only what was recorded is released.
# The day of a quota never goes back: where the machine's clock stepped back over midnight, the later day goes on. A day that
# is further ahead was a clock's error, and would otherwise spend the quota of every day until then.
_SAME = "u.day BETWEEN CAST(:today AS date) AND CAST(:today AS date) + 1"
_SETTLE = recorded_each(
    """
asked AS (
  SELECT * FROM unnest(CAST(:grants AS uuid[]), CAST(:grant_versions AS int[]), CAST(:resources AS uuid[]),
    CAST(:resource_versions AS int[]), CAST(:mount_versions AS int[]), CAST(:uses AS int[]), CAST(:used_rows AS bigint[]),
    CAST(:per_day AS bigint[]), CAST(:totals AS bigint[]))
    AS a (grant_id, grant_version, resource_id, resource_version, mount_version, uses, used_rows, per_day, total)
), counted AS (
  UPDATE grant_usage u
  SET queries_today = CASE WHEN {same} THEN u.queries_today ELSE 0 END + a.uses,
      day = CASE WHEN {same} THEN u.day ELSE CAST(:today AS date) END,
      rows_total = u.rows_total + a.used_rows
  FROM asked a
  JOIN grants g ON g.id = a.grant_id AND g.version = a.grant_version
  JOIN resources r ON r.id = a.resource_id AND r.version = a.resource_version
  JOIN mounts m ON m.resource_id = a.resource_id AND m.version = a.mount_version
  WHERE u.grant_id = a.grant_id
    AND CASE WHEN {same} THEN u.queries_today ELSE 0 END + a.uses <= a.per_day
    AND u.rows_total + a.used_rows <= a.total
  RETURNING u.grant_id, u.day, u.queries_today, u.rows_total
)""".replace("{same}", _SAME),
    when="r.key IN (SELECT CAST(grant_id AS text) FROM counted)",
    answer="SELECT CAST(grant_id AS text), day, queries_today, rows_total FROM counted",
)


@dataclass(frozen=True, slots=True)
class DecidedOn:
    """What a use was decided on: the ids of grant and resource, and the versions of both and of the mount."""

    grant: str
    grant_version: int
    resource: str
    resource_version: int
    mount_version: int


@dataclass(slots=True, eq=False)
class Settlement:
    """One use that waits to be settled.

    Attributes:
        on: what it was decided on; only uses of a grant that were decided on the same are settled together.
        quota: that of the grant.
        rows: how many rows leave.
        entries: its audit records.
    """

    on: DecidedOn
    quota: Quota
    rows: int
    entries: Sequence[AuditEntry]
    alone: bool = False
    done: "asyncio.Future[GrantUsage | None]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def joins(self, group: "list[Settlement]") -> bool:
        """Tells whether this use can be settled together with those of ``group``, which are of the same grant."""
        return not group or not (self.alone or group[0].alone or self.on != group[0].on)


class UsageLedger:
    """Settles uses, one statement at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None

    async def settle(self, use: Settlement) -> GrantUsage | None:
        """Counts and records a use.

        Returns:
            What was used of the grant then; None where quota or versions are not what the use was decided on: nothing was
            counted.

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
            _fail(uses, error)

    def _next_groups(self) -> list[list[Settlement]]:
        groups: dict[str, list[Settlement]] = {}
        later: list[Settlement] = []
        for position, use in enumerate(self._waiting):
            group = groups.setdefault(use.on.grant, [])
            if position < _LARGEST_BATCH and use.joins(group):
                group.append(use)
            else:
                later.append(use)
        self._waiting = later
        return [group for group in groups.values() if group]

    async def _settle_groups(self, groups: list[list[Settlement]]) -> None:
        values = {"today": local_day(self._clock.now()), **_values(groups)}
        async with self._database.read() as connection:
            rows = await _SETTLE.all(connection, values)
        counted = {row[0]: GrantUsage(*row) for row in rows}
        for group in groups:
            usage = counted.get(group[0].on.grant)
            if usage is None and len(group) > 1:
                # Together they were too many; one by one some may still have room.
                for use in group:
                    use.alone = True
                self._waiting += group
            else:
                _answer(group, usage)


def _is_of_one(error: Exception) -> bool:
    """True where the statement was refused for what stands in it, and not because the database is away."""
    return is_refused(error.__cause__ if isinstance(error, TongbanError) and error.__cause__ else error)


def _values(groups: list[list[Settlement]]) -> Mapping[str, Any]:
    firsts = [group[0] for group in groups]
    uses = [use for group in groups for use in group]
    keys = [use.on.grant for use in uses for _ in use.entries]
    return {
        "grants": [first.on.grant for first in firsts],
        "grant_versions": [first.on.grant_version for first in firsts],
        "resources": [first.on.resource for first in firsts],
        "resource_versions": [first.on.resource_version for first in firsts],
        "mount_versions": [first.on.mount_version for first in firsts],
        "uses": [len(group) for group in groups],
        "used_rows": [sum(use.rows for use in group) for group in groups],
        "per_day": [first.quota.queries_per_day for first in firsts],
        "totals": [first.quota.rows_total for first in firsts],
        **record_values([entry for use in uses for entry in use.entries], keys),
    }


def _answer(group: list[Settlement], usage: GrantUsage | None) -> None:
    for use in group:
        # Whoever waited may have gone: the call was cancelled or its time was over.
        if not use.done.done():
            use.done.set_result(usage)


def _fail(uses: list[Settlement], error: Exception) -> None:
    for use in uses:
        if not use.done.done():
            failure = reasons.audit_unavailable(
                "the audit record can't be written; nothing is released", retry_after=1.0
            )
            failure.__cause__ = error
            use.done.set_exception(failure)
