"""Times that a test's parameters name: counted from the moment the test runs, since parameters are made long before it."""

import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FromNow:
    """So many seconds from when the test runs; before it where negative."""

    seconds: int

    def __str__(self) -> str:
        return f"now{self.seconds:+d}"

    __repr__ = __str__


def timed(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims, each ``FromNow`` among them as the NumericDate of now (RFC 7519, section 2)."""
    now = int(time.time())
    return {name: now + value.seconds if isinstance(value, FromNow) else value for name, value in claims.items()}
