"""One-time codes that show by which contact points people are reached: how long they live, how often they are sent and tried."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import reasons

LIFE = timedelta(minutes=5)
"""So long a code is good."""
MOST_TRIES = 5
"""So often a code may be tried."""
MOST_CODES = 5
"""So many codes go to one contact point, and to all of one account, within ``WITHIN``."""
WITHIN = timedelta(hours=1)
PAUSE = timedelta(minutes=1)
"""So long a contact point is left in peace after a code."""
FIRST_WAIT = timedelta(seconds=15)
"""So long after an attempt to send that did not succeed the next one is made; doubled each time."""


class CodeState(StrEnum):
    """What became of a code; that its time is over is never stored."""

    OPEN = "OPEN"
    CONFIRMED = "CONFIRMED"
    SPENT = "SPENT"
    REPLACED = "REPLACED"


@dataclass(frozen=True, slots=True)
class CodeTried:
    """What becomes of a code that was tried: its state, and how often it was tried."""

    state: CodeState
    tries: int

    @property
    def remaining(self) -> int:
        """How often another one may be tried."""
        return MOST_TRIES - self.tries if self.state is CodeState.OPEN else 0


def check_pace(to_point: Collection[datetime], of_account: Collection[datetime], now: datetime) -> None:
    """Raises ResourceExhausted RATE_LIMITED where another code must wait.

    Args:
        to_point: when codes were sent to the contact point, of whichever account.
        of_account: when codes of the account were sent, wherever to.
        now: the time by the clock of credentials; what lies further ahead than the span was written by a clock that was wrong.
    """
    waits = [each + PAUSE - now for each in to_point if each <= now + PAUSE]
    for times in (to_point, of_account):
        recent = sorted(each for each in times if now - WITHIN < each < now + WITHIN)
        if len(recent) >= MOST_CODES:
            waits.append(recent[-MOST_CODES] + WITHIN - now)
    longest = max(waits, default=timedelta(0))
    if longest > timedelta(0):
        raise reasons.rate_limited("too many codes", retry_after=max(1.0, longest.total_seconds()))


def tried(tries: int, *, right: bool) -> CodeTried:
    """Returns what becomes of an open code that was tried ``tries`` times before."""
    if right:
        return CodeTried(CodeState.CONFIRMED, tries + 1)
    return CodeTried(CodeState.OPEN if tries + 1 < MOST_TRIES else CodeState.SPENT, tries + 1)


def next_attempt(attempts: int, now: datetime) -> datetime:
    """Returns when a code is sent again that could not be sent ``attempts`` times."""
    return now + FIRST_WAIT * (1 << min(attempts, 6))
