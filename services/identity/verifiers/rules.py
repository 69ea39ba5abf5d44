"""How many checks may be started, and how long each can be finished."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import reasons

LIFE = timedelta(minutes=15)
WITHIN = timedelta(hours=1)
MOST_STARTED = 5


class AttemptState(StrEnum):
    """What became of a check that was started."""

    OPEN = "OPEN"
    RECORDED = "RECORDED"


def check_started(started: Sequence[datetime], now: datetime) -> None:
    """Refuses a check where too many were started within the hour: each costs the region a question, or money.

    Args:
        started: when, the last one first.
        now: the time of the machine.

    Raises:
        ResourceExhausted: RATE_LIMITED.
    """
    if len(started) >= MOST_STARTED:
        wait = (started[MOST_STARTED - 1] + WITHIN - now).total_seconds()
        raise reasons.rate_limited("too many checks were started", retry_after=max(1.0, wait))
