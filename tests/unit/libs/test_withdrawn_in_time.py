"""Two seconds from a withdrawal's commit to its refusal: on a clock of the test's own, whenever in a process's turn it comes."""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from libs.access.actor import Actor
from libs.errors import Unauthenticated, Unavailable
from libs.security.withdrawals import Withdrawals, WithdrawnParties

ID = "00000000-0000-7000-8000-000000000001"
MANDATE = f"mandates/{ID}"
AGENT = Actor(
    f"persons/{ID}", "PERSON", frozenset(), organization=f"organizations/{ID}", mandate=MANDATE, claims={"iat": 1}
)
PROMISED = 2.0


class _Jumping(selectors.DefaultSelector):
    """Nobody waits: a wait is a jump of the loop's clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


def _played(work: Callable[[Callable[[], float]], Coroutine[Any, Any, float]]) -> float:
    """Runs ``work`` on a loop whose clock jumps; it gets the clock."""
    selector = _Jumping()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        return loop.run_until_complete(work(loop.time))
    finally:
        loop.close()


async def _refused_after(time: Callable[[], float], committed: float, answer: float, away: int = 0) -> float:
    """How long after its commit a withdrawal is refused, where identity answers within ``answer`` with what it read at the beginning."""
    failures = away

    async def ask(_since: float) -> WithdrawnParties:
        nonlocal failures
        known = {MANDATE: math.inf} if time() >= committed else {}
        await asyncio.sleep(answer)
        if known and failures:
            failures -= 1
            raise Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="identity")
        return WithdrawnParties(known, 1_000.0 + time())

    found = Withdrawals(ask)
    watching = asyncio.ensure_future(found.watch())
    try:
        while _holds(found):  # noqa: ASYNC110 - a step of the clock, on which nobody waits
            await asyncio.sleep(0.02)
        return time() - committed
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _holds(found: Withdrawals) -> bool:
    try:
        found.check(AGENT)
    except Unauthenticated:
        return False
    return True


@pytest.mark.parametrize("answer", [0.0, 0.1, 0.5, 0.9])
def test_what_is_withdrawn_is_refused_within_two_seconds(answer: float) -> None:
    took = [
        _played(lambda time, at=step: _refused_after(time, 10 + at / 25, answer))  # type: ignore[misc]
        for step in range(26)
    ]
    assert max(took) <= PROMISED
    # The worst is not far below what is promised: a second's wait, and the answer.
    assert max(took) == pytest.approx(1.0 + answer, abs=0.06)


def test_a_question_that_fails_costs_a_second() -> None:
    assert _played(lambda time: _refused_after(time, 10.5, 0.1, away=1)) == pytest.approx(1.6, abs=0.06)


def test_who_does_not_watch_refuses_nothing() -> None:
    """The proof would prove nothing, were the answer there by another way."""

    async def never(time: Callable[[], float]) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await _refused_after(time, math.inf, 0.1)
        return time()

    assert _played(never) == pytest.approx(60)
