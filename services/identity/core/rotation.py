"""Which of the keys that sign tokens is in use, which is the next, and when a new one is due.

Every key is published a whole period before it signs, so that other regions, who pin our keys on paper, have that long
to take the next one up. All replicas come to the same answer from the keys' times alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

KEPT = timedelta(days=91)
"""How long a key outlives its use: the longest token is a delegation of 90 days."""


@dataclass(frozen=True, slots=True)
class KeyTime:
    """A version of the key, when it was made, and from when on it signs where somebody ordered so ahead of its time."""

    version: int
    create_time: datetime
    begin_time: datetime | None = None

    def start(self, period: timedelta) -> datetime:
        """Returns from when on it signs."""
        due = self.create_time + period
        return due if self.begin_time is None else min(due, self.begin_time)


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What each key is for at one moment.

    Attributes:
        current: the version that signs.
        upcoming: those that will, published already; empty where a new one is due.
        retired: those whose tokens may still live, newest first.
        change_time: when the answer changes by itself; None where it does not.
    """

    current: int
    upcoming: tuple[int, ...]
    retired: tuple[int, ...]
    change_time: datetime | None


def plan(keys: Sequence[KeyTime], now: datetime, period: timedelta) -> KeyPlan:
    """Says what ``keys`` (at least one) are for at ``now``, where each signs for ``period``.

    A key that is none of this is not published any more. It is kept all the same: the answer holds for this reading of
    the clock, and is another one as soon as a clock that was wrong goes right again.

    The oldest one left signs from the start, so that destroying a key that leaked brings up the next at once.
    """
    order = sorted(keys, key=lambda key: key.version)
    active = [key for place, key in enumerate(order) if place == 0 or key.start(period) <= now]
    current = active[-1]
    upcoming = [key for key in order if key.version > current.version]
    old = [(key, successor.start(period)) for key, successor in pairwise(active)]
    return KeyPlan(
        current=current.version,
        upcoming=tuple(key.version for key in upcoming),
        retired=tuple(key.version for key, ended in reversed(old) if now < ended + KEPT),
        change_time=min((key.start(period) for key in upcoming), default=None),
    )
