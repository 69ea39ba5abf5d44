"""Answers that are kept for a while."""

import pytest

from libs.errors import Unavailable
from libs.timed_cache import TimedCache


class Asked:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> int:
        self.times += 1
        return self.times


async def test_what_was_asked_is_kept_until_its_time_is_over_or_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("libs.timed_cache.time.monotonic", lambda: now)
    kept, ask = TimedCache[int](5.0), Asked()
    assert [await kept.get("a", ask), await kept.get("a", ask), await kept.get("b", ask)] == [1, 1, 2]
    now = 105.0
    assert await kept.get("a", ask) == 3
    kept.forget("a")
    assert await kept.get("a", ask) == 4
    kept.forget_all()
    assert await kept.get("a", ask) == 5


async def test_the_oldest_goes_first_and_errors_are_not_kept() -> None:
    kept, ask = TimedCache[int](5.0, most=2), Asked()
    for key in ("a", "b", "c"):
        await kept.get(key, ask)
    assert (await kept.get("c", ask), await kept.get("b", ask), await kept.get("a", ask)) == (3, 2, 4)

    async def fail() -> int:
        raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="seal")

    with pytest.raises(Unavailable):
        await kept.get("d", fail)
    assert await kept.get("d", ask) == 5
