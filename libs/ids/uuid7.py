"""UUID version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then 74 bits that only grow within a millisecond.

Identifiers made in one process by one source sort as text in the order they were made (RFC 9562, 6.2, method 2).
"""

import os
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_TAIL_BITS = 74
_TAIL_LIMIT = 1 << _TAIL_BITS
_LOW_BITS = 62
_LOW_MASK = (1 << _LOW_BITS) - 1
_VERSION_AND_VARIANT = (7 << 76) | (2 << _LOW_BITS)
_MAX_MS = (1 << 48) - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PATTERN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


class Uuid7Source:
    """Makes UUIDv7s that grow; safe for threads and after a fork (every step takes fresh randomness)."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """Takes the randomness from ``entropy``; a test may inject a seeded one."""
        self._entropy = entropy
        self._lock = threading.Lock()
        self._ms = -1
        self._tail = 0

    def at(self, unix_ms: int) -> str:
        """Returns an identifier that carries exactly ``unix_ms``; grows over calls with the same millisecond.

        Raises:
            ValueError: if ``unix_ms`` does not fit in 48 bits.
        """
        if not 0 <= unix_ms <= _MAX_MS:
            raise ValueError("milliseconds since 1970 must fit in 48 bits")
        with self._lock:
            return self._next(unix_ms)

    def now(self) -> str:
        """Returns an identifier of the machine's time; keeps growing when that clock is set back."""
        unix_ms = time.time_ns() // 1_000_000
        with self._lock:
            return self._next(max(unix_ms, self._ms))

    def _next(self, unix_ms: int) -> str:
        random = self._entropy(10)
        if unix_ms == self._ms:
            self._tail += 1 + int.from_bytes(random[:4])
            if self._tail >= _TAIL_LIMIT:
                raise OverflowError("more identifiers in one millisecond than 74 bits hold")
        else:
            # The top bit stays clear, so that 2**41 increments fit before the tail runs over.
            self._ms, self._tail = unix_ms, int.from_bytes(random) >> 7
        value = unix_ms << 80 | self._tail >> _LOW_BITS << 64 | self._tail & _LOW_MASK | _VERSION_AND_VARIANT
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_system = Uuid7Source()
_injected = Uuid7Source()


def uuid7(unix_ms: int | None = None) -> str:
    """Returns a new lower-case UUIDv7, of the machine's time or of an injected one (``libs.clock.unix_ms``)."""
    return _system.now() if unix_ms is None else _injected.at(unix_ms)


def is_uuid7(text: str) -> bool:
    """Says whether ``text`` is a UUIDv7 in its canonical lower-case form."""
    return _PATTERN.fullmatch(text) is not None


def time_of(identifier: str) -> datetime:
    """Returns the moment that a UUIDv7 carries, aware, to the millisecond.

    Raises:
        ValueError: if ``identifier`` is no canonical UUIDv7.
    """
    if not is_uuid7(identifier):
        raise ValueError("not a UUIDv7 in lower case")
    return _EPOCH + timedelta(milliseconds=int(identifier[:8] + identifier[9:13], 16))
