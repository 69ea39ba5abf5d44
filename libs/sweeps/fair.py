"""Work of many parties, side by side: no party's work ever holds up another's.

A party is whoever the work is for, or has to answer it: another region, a department. Each has so many places at once;
one that did not answer last time has one, in a pool apart, and rests before it is tried again, until it answers: ten
thousand pieces for a region that is away cost no more than one. Work that is slow (a call that runs
into its timeout) gives its place to the next after a second and goes on. Nothing waits for a batch to end.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from libs.observability.logs import logger, place_of

_log = logger(__name__)
_SLOW_SECONDS = 1.0
_FIRST_REST, _LONGEST_REST = 0.25, 5.0
_CANCEL_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class DueWork:
    """A piece of work whose time has come: its key, and whose it is."""

    key: str
    party: str


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """What to look for: at most ``size`` pieces, ``each`` a party, and none of those at work or of parties without place.

    Whoever answers must apply all of it before it limits the number.
    """

    busy: Sequence[str]
    full: Sequence[str]
    each: int
    size: int


Find = Callable[[WorkFilter], Awaitable[Sequence[DueWork]]]
Work = Callable[[DueWork], Awaitable[bool]]
"""Does one piece; tells False, or raises, where the party did not answer."""


@dataclass(slots=True)
class _PartyPause:
    seconds: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class _Place:
    party: str
    troubled: bool
    slow: bool = False


class FairWorker:
    """Does what is due."""

    def __init__(
        self, find: Find, work: Work, woken: asyncio.Event, *, at_once: int = 48, each: int = 4, troubled: int = 16
    ) -> None:
        """Takes its parts, and how many pieces at once: in all, of one party, and of all that did not answer.

        ``woken`` is set whenever a place becomes free; whoever runs it then calls ``start`` again.
        """
        self._find = find
        self._work = work
        self._woken = woken
        self._limits = {False: at_once, True: troubled}
        self._each = each
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places: dict[str, _Place] = {}
        self._troubled: dict[str, _PartyPause] = {}

    async def start(self) -> int:
        """Starts whatever is due and has a place; returns how many pieces that were."""
        started = 0
        while (size := self._room(troubled=False) + self._room(troubled=True)) > 0:
            found = await self._find(WorkFilter(list(self._tasks), self._full(), self._each, size))
            begun = sum([self._begin(due) for due in found])
            started += begun
            if not begun:
                break
        return started

    async def drain(self) -> int:
        """Does all that is due now and comes due meanwhile, and tries everybody; returns how many pieces that were."""
        done = 0
        self._troubled.clear()
        while True:
            at_work = bool(self._tasks)
            started = await self.start()
            done += started
            if tasks := list(self._tasks.values()):
                await asyncio.wait(tasks, timeout=_SLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            elif not (at_work or started):
                return done

    async def stop(self) -> None:
        """Ends whatever is at work."""
        while self._tasks:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.wait(list(self._tasks.values()), timeout=_CANCEL_AGAIN_SECONDS)

    def _room(self, *, troubled: bool) -> int:
        return self._limits[troubled] - sum(
            place.troubled is troubled and not place.slow for place in self._places.values()
        )

    def _limit(self, party: str) -> int:
        return 1 if party in self._troubled else self._each

    def _full(self) -> list[str]:
        at_work = Counter(place.party for place in self._places.values())
        full = {party for party, count in at_work.items() if count >= self._limit(party)}
        no_room, now = self._room(troubled=True) <= 0, monotonic()
        return list(full | {party for party, rest in self._troubled.items() if no_room or rest.until > now})

    def _begin(self, due: DueWork) -> bool:
        troubled = due.party in self._troubled
        mine = sum(place.party == due.party for place in self._places.values())
        if due.key in self._tasks or self._room(troubled=troubled) <= 0 or mine >= self._limit(due.party):
            return False
        self._places[due.key] = _Place(due.party, troubled)
        self._tasks[due.key] = asyncio.create_task(self._do(due))
        return True

    async def _do(self, due: DueWork) -> None:
        answered = False
        slow = asyncio.get_running_loop().call_later(_SLOW_SECONDS, self._is_slow, due)
        try:
            answered = await self._work(due)
        except Exception as error:  # noqa: BLE001 - one piece's fault is not the others'
            _log.error("work failed", key=due.key, **place_of(error))
        finally:
            slow.cancel()
            self._heard(due.party, answered=answered)
            del self._tasks[due.key], self._places[due.key]
            self._woken.set()

    def _heard(self, party: str, *, answered: bool) -> None:
        if answered:
            self._troubled.pop(party, None)
            return
        rest = self._troubled.setdefault(party, _PartyPause())
        rest.seconds = min(max(rest.seconds * 2, _FIRST_REST), _LONGEST_REST)
        rest.until = monotonic() + rest.seconds

    def _is_slow(self, due: DueWork) -> None:
        self._places[due.key].slow = True
        self._troubled.setdefault(due.party, _PartyPause())
        self._woken.set()
