"""Finds what was left undone between two steps or two services, and takes it up again, for as long as it takes.

Every hand-over (a decision and its licence, an intent and its signature) is one backlog: a query that tells what is
missing now, and a way to take one up. What is found is noted with the moment it was first seen, by the database's clock;
once it is older than the backlog's patience it is taken up, and again after a pause that doubles, stored with it. The
due-time stands in the query before its limit, and parties take turns, so that what can't be done hides nothing else.

To take something up must be right at any time and any number of times: the hand-over may have happened just now.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from libs.background import attempt
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.query import Query, joined, of
from libs.db.schema import retries
from libs.db.statement import Statement, ping
from libs.errors import Code, TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.sweeps.fair import DueWork, FairWorker, WorkFilter

_log = logger(__name__)
_AWAY = {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
_A_DAY = timedelta(days=1)

_NOTE = """
WITH found AS ({query}), new AS (
  INSERT INTO retries (task, key, party, next_attempt)
  SELECT CAST(:task AS text), CAST(key AS text), party, now() + CAST(:patience AS interval) FROM found ON CONFLICT DO NOTHING
)
DELETE FROM retries WHERE task = :task AND NOT EXISTS (SELECT 1 FROM found WHERE CAST(found.key AS text) = retries.key)
"""


@of(joined(missing=retries.c.attempts, age=sa.Column(type_=sa.Float, nullable=False)))
@dataclass(frozen=True, slots=True)
class BacklogState:
    """How many pieces are missing, and for how many seconds the oldest of them."""

    missing: int
    age: float


_STATE = Query(
    BacklogState,
    """
SELECT {columns} FROM (
  SELECT count(*) AS missing, CAST(coalesce(extract(epoch FROM now() - min(since)), 0) AS double precision) AS age
  FROM retries WHERE task = :task AND since <= now() - CAST(:patience AS interval)
) AS state
""",
)
of(retries)(DueWork)
# No pause is longer than a day: a time that is further ahead was written while the machine's clock was ahead.
_DUE = Query(
    DueWork,
    """
SELECT {columns} FROM (
  SELECT key, party, row_number() OVER (PARTITION BY party ORDER BY next_attempt, key) AS place
  FROM retries
  WHERE task = :task AND (next_attempt <= now() OR next_attempt > now() + interval '2 days') AND key <> ALL(CAST(:busy AS text[]))
    AND party <> ALL(CAST(:full AS text[])) AND (CAST(:confirmed AS text[]) IS NULL OR key = ANY(CAST(:confirmed AS text[])))
) AS due WHERE place <= :each ORDER BY place, key LIMIT :size
""",
)
_NOTED = Statement("SELECT key FROM retries WHERE task = :task")
_TAKEN_UP = Statement("""
UPDATE retries SET attempts = attempts + 1, last_reason = :reason,
  next_attempt = now() + make_interval(secs => least(CAST(:longest AS float8), CAST(:first AS float8) * power(2, least(attempts, 16))))
WHERE task = :task AND key = :key
""")


def stopwatch() -> float:
    """Seconds since some moment, by a clock that nobody sets."""
    return time.monotonic()


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class Backlog:
    """One hand-over.

    Attributes:
        name: what it is called in metrics and in the runbook, ``<from>_<to>``.
        query: SQL that gives ``key`` and ``party`` of everything that is missing now, with no limit.
        take_up: does again what is missing of one key; raises a TongbanError where it can't be done now.
        values: the query's parameters.
        patience: how long something may be missing before it is taken up.
        pause: how long after the first time it is taken up the second time; doubled each time.
        longest: the longest that this pause becomes.
        confirm: for what ends something for good: how long it must have been found at every look, by a stopwatch, before it
            is taken up. A clock that is wrong once, or for a few minutes, then ends nothing (docs/decisions/0030).
    """

    name: str
    query: str
    take_up: Callable[[str], Awaitable[None]]
    values: Callable[[], Mapping[str, Any]] = _nothing
    patience: timedelta = timedelta(0)
    pause: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=1)
    confirm: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if max(self.patience, self.pause, self.longest) > _A_DAY:
            raise ValueError(f"{self.name}: no pause is longer than a day")


@dataclass(slots=True)
class _Followed:
    backlog: Backlog
    note: Statement
    worker: FairWorker
    done: list[str] = field(default_factory=list)
    seen: dict[str, float] | None = None
    """What is found at every look of this turn, and when first by the stopwatch; None where that is not asked."""

    def confirmed(self) -> list[str] | None:
        """What was found for long enough; None where whatever is due may be taken up."""
        if self.seen is None:
            return None
        before = stopwatch() - self.backlog.confirm.total_seconds()
        return [key for key, since in self.seen.items() if since <= before]


class Sweep:
    """Follows some backlogs, on one replica at a time."""

    def __init__(self, database: Database, name: str, backlogs: Sequence[Backlog], pause_seconds: float) -> None:
        self._database = database
        self._name = name
        self._pause = pause_seconds
        self._woken = asyncio.Event()
        self._followed = [self._follow(backlog) for backlog in backlogs]

    def _follow(self, backlog: Backlog) -> _Followed:
        async def find(wanted: WorkFilter) -> Sequence[DueWork]:
            return await self._due(followed, wanted)

        async def work(due: DueWork) -> bool:
            return await self._take_up(followed, due)

        note = Statement(_NOTE.format(query=backlog.query))
        followed = _Followed(backlog, note, FairWorker(find, work, self._woken, at_once=16, troubled=8))
        return followed

    async def run(self) -> None:
        """Sweeps for ever."""
        await lead(self._database, self._name, self._turn)

    async def _turn(self, lock: DatabaseConnection) -> None:
        look = 0.0
        for followed in self._followed:
            followed.seen = {} if followed.backlog.confirm else None
        try:
            while True:
                if time.monotonic() >= look:
                    await self._look()
                    look = time.monotonic() + self._pause
                self._woken.clear()
                for followed in self._followed:
                    await attempt(followed.backlog.name, followed.worker.start)
                # What ends meanwhile is followed by the next piece at once; what hangs is not waited for.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), max(0.0, look - time.monotonic()))
                await ping(lock)
        finally:
            for followed in self._followed:
                await followed.worker.stop()

    async def sweep(self) -> int:
        """Looks once, does all that is due to its end, and returns how many pieces could be done."""
        await self._look()
        await asyncio.gather(*(each.worker.drain() for each in self._followed))
        await self._look()
        done = sum(len(each.done) for each in self._followed)
        for each in self._followed:
            each.done.clear()
        return done

    async def _look(self) -> None:
        for followed in self._followed:
            await attempt(followed.backlog.name, partial(self._look_for, followed))

    async def _look_for(self, followed: _Followed) -> None:
        backlog = followed.backlog
        key = {"task": backlog.name, "patience": backlog.patience}
        async with self._database.read() as connection:
            await followed.note.execute(connection, key | dict(backlog.values()))
            state = await _STATE.one(connection, **key)
            if followed.seen is not None:
                noted, before = await _NOTED.all(connection, key), followed.seen
                followed.seen = {each[0]: before.get(each[0], stopwatch()) for each in noted}
        metrics.HANDOVER_MISSING.labels(backlog.name).set(state.missing)
        metrics.HANDOVER_OLDEST.labels(backlog.name).set(state.age)

    async def _due(self, followed: _Followed, wanted: WorkFilter) -> Sequence[DueWork]:
        task, confirmed = followed.backlog.name, followed.confirmed()
        async with self._database.read() as connection:
            return await _DUE.all(connection, task=task, confirmed=confirmed, **asdict(wanted))

    async def _take_up(self, followed: _Followed, due: DueWork) -> bool:
        backlog, reason, answered = followed.backlog, "INTERNAL", True
        try:
            await backlog.take_up(due.key)
            reason = ""
            followed.done.append(due.key)
        except TongbanError as error:
            reason, answered = error.reason, error.code not in _AWAY
        finally:
            _log.warning("taken up", handover=backlog.name, key=due.key, reason=reason)
            metrics.HANDOVER_REPEATS.labels(backlog.name, reason or "OK").inc()
            await self._put_off(backlog, due.key, reason)
        return answered

    async def _put_off(self, backlog: Backlog, key: str, reason: str) -> None:
        async with self._database.read() as connection:
            await _TAKEN_UP.execute(
                connection,
                {
                    "task": backlog.name,
                    "key": key,
                    "reason": reason,
                    "first": backlog.pause.total_seconds(),
                    "longest": backlog.longest.total_seconds(),
                },
            )
