"""When a client is told again that a sign-in ended."""

from datetime import datetime, timedelta

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP = timedelta(hours=26)
"""So long it is tried: a client that is away for a day is told nevertheless."""
_STEPS = 9


def next_attempt(attempts: int, now: datetime) -> datetime:
    """Returns when a client is told again that could not be told ``attempts`` times."""
    return now + min(FIRST_WAIT * (1 << min(attempts - 1, _STEPS)), LONGEST_WAIT)


def is_given_up(create_time: datetime, now: datetime) -> bool:
    """Says whether it was tried for long enough."""
    return create_time + GIVEN_UP <= now
