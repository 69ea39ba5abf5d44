"""What one end was told is compared with what the other knows: whatever was lost is found, at a bounded cost."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db.schema import retries
from libs.errors import Unavailable
from libs.process import Process
from libs.sweeps import comparison
from libs.sweeps.comparison import PAGE, HandOverComparison
from libs.sweeps.sweep import Sweep
from tests.support import sql
from tests.support.process import process_of
from tests.support.service import Ground

_NAME = "thing_told_known"
_TOLD = "SELECT key, party FROM retries WHERE task = 'told'"
"""What was told lies in a table of the process that nobody sweeps."""


@dataclass
class Other:
    """The other end: what it does not know (any more), and what it was asked."""

    lost: set[str] = field(default_factory=set)
    away: bool = False
    pages: list[int] = field(default_factory=list)
    taken_up: list[str] = field(default_factory=list)

    async def ask(self, keys: Sequence[str]) -> set[str]:
        if self.away:
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away")
        self.pages.append(len(keys))
        return self.lost & set(keys)

    async def make(self, key: str) -> None:
        """Makes something again."""
        self.taken_up.append(key)
        self.lost.discard(key)


@dataclass
class Both:
    """Both ends."""

    process: Process
    other: Other
    comparison: HandOverComparison

    async def tell(self, first: int, last: int) -> list[str]:
        """The other end tells of some things, in turn."""
        keys = [f"things/{number:06d}" for number in range(first, last)]
        moment = sa.func.now()
        rows = [{"task": "told", "key": key, "party": "p"} for key in keys]
        async with self.process.database.transaction() as connection:
            await sql.insert(connection, sa.insert(retries).values(next_attempt=moment), rows)
        return keys

    async def noted(self) -> set[str]:
        """What was found missing."""
        async with self.process.database.read() as connection:
            return set(
                (await sql.execute(connection, sa.select(retries.c.key).where(retries.c.task == _NAME))).scalars()
            )


@pytest_asyncio.fixture
async def both(ground: Ground) -> AsyncIterator[Both]:
    async with process_of(ground) as process:
        other = Other()
        yield Both(process, other, HandOverComparison(process.database, _NAME, _TOLD, other.ask, 30.0))


async def test_whatever_an_older_copy_lacks_is_found_at_once(both: Both) -> None:
    await both.tell(0, 3 * PAGE)
    assert await both.comparison.compare() == 0
    lost = await both.tell(3 * PAGE, 6 * PAGE)
    both.other.lost = set(lost)
    assert await both.comparison.compare() == len(lost)
    assert await both.noted() == set(lost)


async def test_it_is_found_behind_what_was_told_since(both: Both) -> None:
    keys = await both.tell(0, 2 * PAGE)
    assert await both.comparison.compare() == 0
    both.other.lost = set(keys[-10:])
    await both.tell(2 * PAGE, 4 * PAGE)
    assert await both.comparison.compare() == 10


async def test_while_the_other_is_away_nothing_counts_as_compared(both: Both) -> None:
    keys = await both.tell(0, PAGE)
    assert await both.comparison.compare() == 0
    both.other.away, both.other.lost = True, set(keys[-3:])
    await both.tell(PAGE, 3 * PAGE)
    with pytest.raises(Unavailable):
        await both.comparison.compare()
    both.other.away = False
    assert await both.comparison.compare() == 3


async def test_a_hole_among_the_oldest_is_found_when_its_page_comes_round(both: Both) -> None:
    keys = await both.tell(0, 5 * PAGE)
    assert await both.comparison.compare() == 0
    both.other.lost = {keys[7]}
    found = [await both.comparison.compare() for _ in range(6)]
    assert 1 in found


async def test_steadily_it_costs_two_pages(both: Both) -> None:
    await both.tell(0, 5 * PAGE)
    await both.comparison.compare()
    both.other.pages.clear()
    await both.comparison.compare()
    assert both.other.pages == [PAGE, PAGE]


async def test_what_is_missing_is_taken_up_and_struck_out_when_it_is_known_again(both: Both) -> None:
    keys = await both.tell(0, 20)
    both.other.lost = set(keys[4:6])
    assert await both.comparison.compare() == 2
    sweep = Sweep(both.process.database, "sweep", [both.comparison.backlog(both.other.make)], 30.0)
    assert await sweep.sweep() == 2
    assert sorted(both.other.taken_up) == keys[4:6]
    assert await sweep.sweep() == 0, "it is asked for again after its pause"
    assert await both.comparison.compare() == 0
    assert await both.noted() == set()


async def test_one_that_lost_everything_gets_it_back_bit_by_bit(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_MOST_OPEN", 30)
    both.other.lost = set(await both.tell(0, 100))
    assert await both.comparison.compare() == 30
    for key in await both.noted():
        await both.other.make(key)
    assert await both.comparison.compare() == 30
    assert len(both.other.lost) == 70
