"""Answers of neighbours that may be kept for a few seconds."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")
_FORGET_AT = 1000


class Kept(Generic[Value]):
    """Keeps what was asked for ``seconds``; errors are not kept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._values: dict[str, tuple[Value, float]] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[Value]]) -> Value:
        """Returns what is kept under ``key``, or asks for it."""
        found = self._values.get(key)
        if found is not None and found[1] > time.monotonic():
            return found[0]
        value = await ask()
        if len(self._values) >= _FORGET_AT:
            self._values.clear()
        self._values[key] = (value, time.monotonic() + self._seconds)
        return value

    def forget(self, key: str) -> None:
        """Drops what is kept under ``key``."""
        self._values.pop(key, None)

    def forget_all(self) -> None:
        """Drops all that is kept."""
        self._values.clear()
