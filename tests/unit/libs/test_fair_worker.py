"""Who gets a place, and when: many parties, some of which don't answer."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from libs.sweeps import fair
from libs.sweeps.fair import DueWork, FairWorker, WorkFilter
from tests.support.patience import PATIENCE


class Board:
    """Pieces of work, and how their parties answer."""

    def __init__(self, **pieces: int) -> None:
        self.due = {f"{party}/{number}": party for party, count in pieces.items() for number in range(count)}
        self.tried: list[str] = []
        self.away: set[str] = set()
        self.hanging: dict[str, asyncio.Event] = {}
        self.most: Counter[str] = Counter()
        self.woken = asyncio.Event()
        self._at_work: Counter[str] = Counter()

    def worker(self, **limits: int) -> FairWorker:
        return FairWorker(self.find, self.work, self.woken, **limits)

    async def find(self, wanted: WorkFilter) -> Sequence[DueWork]:
        """As a query would: filtered first, each party's first few, all parties in turn."""
        by_party: dict[str, list[str]] = {}
        for key, party in self.due.items():
            if key not in wanted.busy and party not in wanted.full:
                by_party.setdefault(party, []).append(key)
        turns = sorted((place, key) for keys in by_party.values() for place, key in enumerate(keys[: wanted.each]))
        return [DueWork(key, self.due[key]) for _, key in turns[: wanted.size]]

    async def work(self, due: DueWork) -> bool:
        self.tried.append(due.key)
        self._at_work[due.party] += 1
        self.most[due.party] = max(self.most[due.party], self._at_work[due.party])
        try:
            if due.party in self.hanging:
                await self.hanging[due.party].wait()
            await asyncio.sleep(0)
            if due.party in self.away:
                return False
            del self.due[due.key]
            return True
        finally:
            self._at_work[due.party] -= 1


async def _turns(worker: FairWorker, count: int) -> None:
    for _ in range(count):
        await worker.start()
        for _ in range(5):
            await asyncio.sleep(0)


async def test_every_party_gets_its_turn_and_no_more_than_its_places() -> None:
    board = Board(a=500, b=3, c=1)
    worker = board.worker(at_once=8, each=4)
    assert await worker.start() == 8
    await asyncio.sleep(0)
    assert {key.partition("/")[0] for key in board.tried} == {"a", "b", "c"}
    assert await worker.drain() == 504 - 8
    assert board.most["a"] == 4 and not board.due


async def test_a_party_that_does_not_answer_is_tried_alone_and_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("libs.sweeps.fair.monotonic", lambda: now[0])
    board = Board(a=5000, b=50)
    board.away = {"a"}
    worker = board.worker()
    await _turns(worker, 50)
    assert sum(key.startswith("a/") for key in board.tried) == 4
    assert "b" not in board.due.values()
    tried = []
    for _ in range(60):
        now[0] += 1.0
        before = len(board.tried)
        await _turns(worker, 10)
        tried.append(len(board.tried) - before)
    assert max(tried) == 1 and 12 <= sum(tried) <= 20
    board.away.clear()
    now[0] += 5.0
    await _turns(worker, 2000)
    assert not board.due


async def test_who_hangs_keeps_only_its_own_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair, "_SLOW_SECONDS", 0.0)
    names = [f"h{number}" for number in range(100)]
    board = Board(**dict.fromkeys(names, 10), here=20)
    board.hanging = {name: asyncio.Event() for name in names}
    worker = board.worker(at_once=8, each=2, troubled=4)
    while "here" in board.due.values():
        await worker.start()
        await asyncio.wait_for(board.woken.wait(), PATIENCE)
        board.woken.clear()
    assert max(board.most[name] for name in names) <= 2
    await worker.stop()


async def test_what_fails_unforeseen_ends_nothing() -> None:
    board = Board(a=1, b=1)

    async def fail(due: DueWork) -> bool:
        if due.party == "a":
            board.due.pop(due.key)
            raise RuntimeError("unforeseen")
        return await board.work(due)

    assert await FairWorker(board.find, fail, board.woken).drain() == 2
    assert not board.due
