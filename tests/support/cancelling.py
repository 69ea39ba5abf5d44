"""Cancels a coroutine at every single place where it can be cancelled, one place a run, without a clock."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

Work = Callable[[], Awaitable[Any]]


@dataclass
class _Place:
    """One suspension of ``work``. ``late`` cancels when what it waits for has come, and not when it begins to wait."""

    work: Awaitable[Any]
    number: int
    late: bool
    reached: bool = False

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.work.__await__()
        error: BaseException | None = None
        for seen in itertools.count():
            try:
                waits_for = next(steps) if error is None else steps.throw(error)
            except StopIteration as end:
                return end.value
            error = yield from self._wait(waits_for, here=seen == self.number)

    def _wait(self, waits_for: Any, *, here: bool) -> Generator[Any, Any, BaseException | None]:
        self.reached = self.reached or here
        if here and not self.late:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - whatever comes is for the coroutine
            return error
        return asyncio.CancelledError() if here else None


async def at_every_await(work: Work, then: Callable[[str], Awaitable[None]]) -> int:
    """Runs ``work`` again and again, cancelled at its first, second, ... suspension, and ``then`` after each.

    Each suspension is taken twice: as it begins (what was asked has no answer yet) and as it ends (the answer has come,
    and the task has not seen it). Returns the number of suspensions.
    """
    for late in (False, True):
        number = 0
        while True:
            place = _Place(work(), number, late)
            task = asyncio.ensure_future(_run(place))
            await asyncio.wait([task])
            if not place.reached:
                task.result()
                break
            _quiet(task)
            await then(f"await {number}, {'late' if late else 'early'}")
            number += 1
    return number


async def _run(place: _Place) -> Any:
    return await place


async def at_every_turn(work: Work, then: Callable[[str], Awaitable[None]]) -> int:
    """Runs ``work`` again and again, cancelled after one, two, ... turns of the event loop, until it ends by itself.

    Returns the number of turns.
    """
    turns = 0
    while True:
        task = asyncio.ensure_future(work())
        for _ in range(turns):
            await asyncio.sleep(0)
        ended = task.done()
        task.cancel()
        await asyncio.wait([task])
        if ended:
            task.result()
            return turns
        _quiet(task)
        await then(f"turn {turns}")
        turns += 1


def _quiet(task: "asyncio.Future[Any]") -> None:
    """Takes what the task ended with: told it must be, but a test of cancellations doesn't mind how it was told."""
    if not task.cancelled():
        task.exception()
