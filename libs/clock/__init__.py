"""The injected clock: nothing in Tongban asks the machine for the time by itself."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Returns the present moment, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Returns the machine's time, aware and in UTC, with microseconds."""
        return datetime.now(UTC)


class FakeClock:
    """A clock that stands still until it is told to move; for tests and for replaying past months."""

    def __init__(self, start: datetime) -> None:
        """Starts at ``start``, which must be aware."""
        self._now = _utc(start)

    def now(self) -> datetime:
        """Returns the moment the clock stands at, aware and in UTC."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Moves the clock forward and returns the new moment.

        Raises:
            ValueError: if ``by`` is negative; time only goes forward here, use ``move_to`` to jump.
        """
        if by < timedelta(0):
            raise ValueError("a clock is advanced by a positive duration")
        self._now += by
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Sets the clock to ``moment``, which must be aware; may go back."""
        self._now = _utc(moment)


def unix_ms(moment: datetime) -> int:
    """Returns ``moment`` (aware) as whole milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    return (_utc(moment) - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)
