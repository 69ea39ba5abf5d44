"""Sweeps: what is missing is found, taken up again and again, and nothing that can't be done hides anything else."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db.schema import retries
from libs.errors import FailedPrecondition
from libs.observability import metrics
from libs.process import Process
from libs.sweeps.sweep import Backlog, Sweep
from tests.support import sql
from tests.support.process import process_of, running, until
from tests.support.service import Ground

_QUERY = """
SELECT key, split_part(key, '/', 1) AS party FROM unnest(CAST(:keys AS text[])) AS found (key)
"""


@dataclass
class Work:
    """Some pieces of work, of parties named before the slash."""

    process: Process
    missing: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    hangs: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)
    back: asyncio.Event = field(default_factory=asyncio.Event)

    def backlog(self, name: str = "test", patience: timedelta = timedelta(0), **more: Any) -> Backlog:
        return Backlog(name, _QUERY, self.take_up, patience=patience, **{"values": self.values, **more})

    def values(self) -> Mapping[str, Any]:
        return {"keys": list(self.missing)}

    async def take_up(self, key: str) -> None:
        self.tried.append(key)
        party = key.partition("/")[0]
        if party in self.hangs:
            await self.back.wait()
        if party in self.refuses:
            raise FailedPrecondition("STATE_CONFLICT", "not to be done")
        self.missing.remove(key)

    def sweep(self, *backlogs: Backlog) -> Sweep:
        return Sweep(self.process.database, "test", backlogs or (self.backlog(),), 0.05)

    async def rows(self) -> dict[str, sql.Row]:
        async with self.process.database.read() as connection:
            return {row.key: row for row in (await sql.execute(connection, sa.select(retries))).all()}


@pytest_asyncio.fixture
async def work(ground: Ground) -> Any:
    async with process_of(ground) as process:
        yield Work(process)


async def test_what_is_missing_is_done_once(work: Work) -> None:
    work.missing = [f"a/{number}" for number in range(120)]
    sweep = work.sweep()
    assert await sweep.sweep() == 120
    assert (sorted(work.tried), work.missing) == (sorted(f"a/{number}" for number in range(120)), [])
    assert await sweep.sweep() == 0
    assert await work.rows() == {}


async def test_hundreds_that_can_not_be_done_starve_nobody(work: Work) -> None:
    work.refuses = {"a"}
    work.missing = [f"a/{number}" for number in range(300)] + ["b/1", "c/1"]
    assert await work.sweep().sweep() == 2
    assert len(work.missing) == 300
    first = work.tried.index("b/1"), work.tried.index("c/1")
    assert max(first) < 50


async def test_a_failure_is_put_off_with_its_reason_for_longer_each_time(work: Work) -> None:
    work.refuses, work.missing = {"a"}, ["a/1"]
    sweep = work.sweep(work.backlog(pause=timedelta(minutes=1)))
    assert await sweep.sweep() == await sweep.sweep() == 0
    assert work.tried == ["a/1"]
    row = (await work.rows())["a/1"]
    assert (row.attempts, row.last_reason) == (1, "STATE_CONFLICT")
    due = sa.text("UPDATE retries SET since = since - interval '1 day', next_attempt = now() - interval '1 second'")
    async with work.process.database.transaction() as connection:
        await sql.execute(connection, due)
    await sweep.sweep()
    row = (await work.rows())["a/1"]
    async with work.process.database.read() as connection:
        now = await sql.scalar(connection, sa.text("SELECT now()"))
    assert row.attempts == 2
    assert timedelta(seconds=90) < row.next_attempt - now <= timedelta(minutes=2)
    assert metrics.HANDOVER_MISSING.labels("test")._value.get() == 1
    assert metrics.HANDOVER_OLDEST.labels("test")._value.get() > 80_000


async def test_what_is_young_is_left_alone_and_what_came_by_itself_is_forgotten(work: Work) -> None:
    work.missing = ["a/1", "a/2"]
    sweep = work.sweep(work.backlog(patience=timedelta(hours=1)))
    assert await sweep.sweep() == 0
    assert metrics.HANDOVER_MISSING.labels("test")._value.get() == 0
    work.missing = ["a/2"]
    await sweep.sweep()
    assert (list(await work.rows()), work.tried) == (["a/2"], [])


async def test_what_hangs_holds_up_neither_other_parties_nor_other_backlogs(work: Work) -> None:
    other = Work(work.process, missing=["a/1"])
    work.hangs = {f"away{number}" for number in range(40)}
    work.missing = [f"away{number}/{each}" for number in range(40) for each in range(3)]
    sweep = work.sweep(work.backlog(), other.backlog("other"))
    async with running(sweep.run):
        await until(lambda: _is(lambda: not other.missing))
        work.missing.append("here/1")
        await until(lambda: _is(lambda: "here/1" not in work.missing))
        work.back.set()
        await until(lambda: _is(lambda: not work.missing))


async def test_an_unforeseen_fault_is_put_off_like_any_other(work: Work) -> None:
    async def fail(key: str) -> None:
        raise RuntimeError("unforeseen")

    work.missing = ["a/1"]
    sweep = work.sweep(Backlog("test", _QUERY, fail, work.values))
    assert await sweep.sweep() == 0
    assert (await work.rows())["a/1"].last_reason == "INTERNAL"


async def _is(condition: Any) -> bool:
    return bool(condition())


async def test_a_backlog_that_cannot_be_looked_for_holds_up_no_other(work: Work) -> None:
    """One asks with values that can't be made, one in SQL that nothing understands; the third is followed all the same."""

    def no_values() -> Mapping[str, Any]:
        raise RuntimeError("nobody thought of this")

    broken = Backlog("no_values", _QUERY, work.take_up, no_values)
    wrong = Backlog("no_query", "SELECT key, party FROM nothing_here", work.take_up)
    sweep = work.sweep(broken, wrong, work.backlog())
    work.missing = ["a/1"]
    async with running(sweep.run):
        await until(lambda: _gone(work))
        work.missing = ["a/2"]
        await until(lambda: _gone(work))
    assert work.tried == ["a/1", "a/2"]


async def _gone(work: Work) -> bool:
    return not work.missing


async def test_what_ends_something_is_found_for_a_while_by_the_stopwatch(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found at one look and not at the next (a clock was ahead): nothing. Found at every look for ten minutes: taken up."""
    stopwatch = [1_000.0]
    monkeypatch.setattr("libs.sweeps.sweep.stopwatch", lambda: stopwatch[0])
    looks = _Looks(work)
    sweep = work.sweep(work.backlog(values=looks.values, confirm=timedelta(minutes=10)))
    async with running(sweep.run):
        work.missing = ["a/1"]
        await looks.more(3)
        work.missing = []  # the clock went right again
        await looks.more(3)
        stopwatch[0] += 3_600
        work.missing = ["a/1"]
        await looks.more(3)
        stopwatch[0] += 599
        await looks.more(3)
        assert work.tried == []
        stopwatch[0] += 2
        await until(lambda: _gone(work))
    assert work.tried == ["a/1"]


class _Looks:
    """Counts how often a sweep has looked."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._count = 0

    def values(self) -> Mapping[str, Any]:
        self._count += 1
        return self._work.values()

    async def more(self, looks: int) -> None:
        wanted = self._count + looks

        async def looked() -> bool:
            return self._count >= wanted

        await until(looked)


async def test_what_was_put_off_while_the_clock_was_ahead_waits_for_no_later_day(work: Work) -> None:
    work.missing, work.refuses = ["a/1"], {"a"}
    sweep = work.sweep()
    assert await sweep.sweep() == 0
    async with work.process.database.transaction() as connection:
        await sql.execute(connection, sa.update(retries).values(next_attempt=sa.text("now() + interval '400 days'")))
    work.refuses = set()
    assert await sweep.sweep() == 1
    assert work.tried == ["a/1", "a/1"]
