"""Answers that may be kept for a few seconds: what a neighbour or the database said of things that change seldom."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TimedCache(Generic[Value]):
    """Keeps what was asked for ``seconds``, the newest ``most`` of it; errors are not kept.

    Whoever asks while the first still waits asks, too: what is kept is cheap to ask for, and a lock would let one that hangs
    hold up all.
    """

    def __init__(self, seconds: float, most: int = 1000) -> None:
        self._seconds = seconds
        self._most = most
        self._values: dict[str, tuple[Value, float]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        """Returns what is kept under ``key``, or asks for it."""
        found = self._values.get(key)
        if found is not None and found[1] > time.monotonic():
            return found[0]
        value = await ask()
        self.forget(key)  # so that it comes to stand at the end, as the newest
        if len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = (value, time.monotonic() + self._seconds)
        return value

    def forget(self, key: str) -> None:
        """Drops what is kept under ``key``."""
        self._values.pop(key, None)

    def forget_all(self) -> None:
        """Drops all that is kept."""
        self._values.clear()
