"""One pool for two sides: its bound, who comes next, and that no place is ever lost."""

import asyncio
import random
from typing import Any

import pytest

from libs.db import pool as pool_module
from libs.db.failures import NoRoom
from libs.db.pool import ConnectionPool, PoolSide


class Driver:
    """A connection as the pool looks at it."""

    def __init__(self, opened: "Opened") -> None:
        self._opened = opened
        self._protocol = self
        self._closed = False
        opened.now += 1
        opened.most = max(opened.most, opened.now)

    def is_closed(self) -> bool:
        return self._closed

    def is_in_transaction(self) -> bool:
        return False

    def _is_cancelling(self) -> bool:
        return False

    def terminate(self) -> None:
        self._opened.now -= not self._closed
        self._closed = True


class Opened:
    """Counts what is open."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def connect(self) -> Any:
        await asyncio.sleep(0)
        return Driver(self)


async def _use(pool: ConnectionPool, side: PoolSide, held: asyncio.Event) -> None:
    connection = await pool.take(side)
    error: BaseException | None = None
    try:
        await held.wait()
    except BaseException as cut:
        error = cut
        raise
    finally:
        pool.give(side, connection, error, fit=error is None)


async def _turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_quarter_is_kept_for_each_side() -> None:
    opened, held = Opened(), asyncio.Event()
    pool = ConnectionPool(opened.connect, 8)
    reading = [asyncio.ensure_future(_use(pool, pool.reads, held)) for _ in range(20)]
    await _turns()
    assert (pool.reads.lent, opened.now) == (6, 6)
    changing = [asyncio.ensure_future(_use(pool, pool.transactions, held)) for _ in range(20)]
    await _turns()
    assert (pool.reads.lent, pool.transactions.lent, opened.now) == (6, 2, 8)
    held.set()
    await asyncio.gather(*reading, *changing)
    assert (pool.reads.lent, pool.transactions.lent, opened.most) == (0, 0, 8)


async def test_where_both_wait_the_side_that_has_fewer_comes_next() -> None:
    opened = Opened()
    pool = ConnectionPool(opened.connect, 8)
    first = [await pool.take(pool.reads) for _ in range(6)]
    taken: list[str] = []

    async def take(side: PoolSide, name: str) -> None:
        await pool.take(side)
        taken.append(name)

    waiting = [asyncio.ensure_future(take(pool.reads, "read")) for _ in range(4)]
    waiting += [asyncio.ensure_future(take(pool.transactions, "change")) for _ in range(6)]
    await _turns()
    assert taken == ["change", "change"]
    for connection in first[:2]:
        pool.give(pool.reads, connection, None, fit=True)
        await _turns()
    assert (pool.reads.lent, pool.transactions.lent) == (4, 4)
    for task in waiting:
        task.cancel()


async def test_whoever_goes_at_whatever_moment_no_place_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_WAIT_SECONDS", 0.01)
    opened, dice = Opened(), random.Random(7)
    pool = ConnectionPool(opened.connect, 5)

    async def use(side: PoolSide) -> None:
        connection = await pool.take(side)
        error: BaseException | None = None
        try:
            await _turns(dice.randrange(4))
        except asyncio.CancelledError as cut:
            error = cut
            raise
        finally:
            pool.give(side, connection, error, fit=error is None and dice.random() < 0.8)

    for _ in range(200):
        tasks = [asyncio.ensure_future(use(dice.choice((pool.reads, pool.transactions)))) for _ in range(12)]
        await _turns(dice.randrange(6))
        for task in dice.sample(tasks, 5):
            task.cancel()
        done, _ = await asyncio.wait(tasks)
        assert all(task.cancelled() or isinstance(task.exception(), NoRoom | None) for task in done)
    await pool.close()
    assert (pool.reads.lent, pool.transactions.lent, pool._free, opened.now) == (0, 0, 5, 0)
    assert opened.most == 5
