"""Rows that are done in batches, where one that can't be done stops none of the others.

A batch is one transaction, which is what makes it cheap. One that fails is halved, and halved again, until what fails stands
alone: that row is set aside, for longer each time, and shown (``tongban_rows_set_aside``); all others are done.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from libs.errors import Unavailable
from libs.observability import metrics
from libs.observability.logs import logger, place_of

_log = logger(__name__)
_FIRST_REST, _LONGEST_REST = 5.0, 300.0

Work = Callable[[Sequence[str]], Awaitable[int]]
"""Does all of some rows, or none of them and raises; returns how many there were to do."""


@dataclass(slots=True)
class _RowPause:
    seconds: float
    until: float


class SetAsideRows:
    """The rows of one task that could not be done; kept by the process that does them."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._rests: dict[str, _RowPause] = {}
        self._met: set[str] = set()

    async def do(self, keys: Sequence[str], work: Work) -> int:
        """Does what can be done of a batch, and returns how many that were; what rests is left out.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE, where the database does not answer: that is no row's fault.
        """
        now = monotonic()
        self._met |= self._rests.keys() & set(keys)
        awake = [key for key in keys if key not in self._rests or self._rests[key].until <= now]
        return await self._halved(awake, work) if awake else 0

    def went_through(self) -> None:
        """Says that all there is was gone through: what stands here and was not met needs nothing any more."""
        for key in self._rests.keys() - self._met:
            del self._rests[key]
        self._met.clear()
        metrics.SET_ASIDE.labels(self._task).set(len(self._rests))

    def forget(self) -> None:
        """Tries all of them again."""
        self._rests.clear()

    async def _halved(self, keys: Sequence[str], work: Work) -> int:
        try:
            done = await work(keys)
        except Exception as error:
            if isinstance(error, Unavailable) and error.metadata.get("dependency") == "database":
                raise
            if len(keys) == 1:
                self._set_aside(keys[0], error)
                return 0
            half = len(keys) // 2
            return await self._halved(keys[:half], work) + await self._halved(keys[half:], work)
        for key in keys:
            self._rests.pop(key, None)
        return done

    def _set_aside(self, key: str, error: Exception) -> None:
        known = self._rests.get(key)
        seconds = min(known.seconds * 2, _LONGEST_REST) if known else _FIRST_REST
        self._rests[key] = _RowPause(seconds, monotonic() + seconds)
        self._met.add(key)
        _log.error("row set aside", task=self._task, key=key, **place_of(error))
