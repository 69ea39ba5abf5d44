"""Pools and shares: who has gone is not worked for, and nobody takes more than their part."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.errors import ResourceExhausted
from libs.workers import PoolShare, StopSignal, ThreadPool, WorkEnded


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[ThreadPool]:
    one = ThreadPool(1, "test")
    yield one
    await one.close()


async def test_work_ends_once_its_caller_has_gone(pool: ThreadPool) -> None:
    begun, ended = threading.Event(), threading.Event()

    def endless(stop: StopSignal) -> None:
        begun.set()
        try:
            while True:
                stop.check()
        except WorkEnded:
            ended.set()
            raise

    call = asyncio.ensure_future(pool.run_while_wanted(endless))
    await asyncio.to_thread(begun.wait)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(ended.wait)
    assert await pool.run(threading.active_count) > 0  # the thread is free for others


async def test_work_that_waits_for_a_thread_never_begins_for_one_who_has_gone(pool: ThreadPool) -> None:
    gate = threading.Event()
    done: list[StopSignal] = []
    first = asyncio.ensure_future(pool.run(gate.wait))
    second = asyncio.ensure_future(pool.run_while_wanted(done.append))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gate.set()
    await first
    await pool.run(int)
    assert done == []


async def test_what_the_work_returns_or_raises_reaches_the_caller(pool: ThreadPool) -> None:
    assert await pool.run_while_wanted(lambda stop, number: number + 1, 1) == 2
    with pytest.raises(ZeroDivisionError):
        await pool.run_while_wanted(lambda stop: 1 // 0)


class _Visits:
    """Callers of a share that stay until they are let go."""

    def __init__(self, share: PoolShare) -> None:
        self.share = share
        self.inside: list[int] = []
        self.leave = asyncio.Event()

    async def visit(self, number: int) -> None:
        async with self.share:
            self.inside.append(number)
            await self.leave.wait()

    async def begin(self, *numbers: int) -> "list[asyncio.Task[None]]":
        tasks = [asyncio.create_task(self.visit(number)) for number in numbers]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tasks


async def test_a_share_takes_so_many_lets_so_many_wait_and_refuses_the_rest() -> None:
    visits = _Visits(PoolShare(2, 1))
    tasks = await visits.begin(1, 2, 3)
    assert visits.inside == [1, 2]
    with pytest.raises(ResourceExhausted) as caught:
        await visits.visit(4)
    assert (caught.value.reason, caught.value.retry_after) == ("RATE_LIMITED", 1.0)
    visits.leave.set()
    await asyncio.gather(*tasks)
    assert visits.inside == [1, 2, 3]


async def test_who_hangs_up_in_the_queue_or_inside_leaves_the_place_free() -> None:
    visits = _Visits(PoolShare(1, 1))
    inside, waiting = await visits.begin(1, 2)
    for gone in (waiting, inside):
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    again = await visits.begin(3, 4)
    assert visits.inside == [1, 3]
    visits.leave.set()
    await asyncio.gather(*again)


async def test_one_full_share_leaves_the_other_alone() -> None:
    public, known = PoolShare(1, 0), PoolShare(1, 0)
    async with public:
        with pytest.raises(ResourceExhausted):
            async with public:
                pass
        async with known:
            pass
