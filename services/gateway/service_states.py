"""Which services serve, and since when, as anybody may know it (服务状态): no replica, no dependency, no address.

What is asked of the services is asked every few seconds whoever looks, so that nobody's looking makes them work.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from libs.background import forever
from libs.clock import Clock

_FRESH = timedelta(seconds=5)
_EVERY_SECONDS = 5.0
_TASK = "gateway:service-states"

Health = Callable[[], Awaitable[Mapping[str, bool]]]
"""Tells of each service, its replicas (``cases-1``) and what each does without (``cases-1/redis``) whether it is there."""


class ServiceState(StrEnum):
    """Where a service stands."""

    SERVING = "SERVING"
    LIMITED = "LIMITED"
    NOT_SERVING = "NOT_SERVING"


@dataclass(frozen=True, slots=True)
class SeenState:
    """Where a service stands, and since when it has been seen so without a break; before that nobody looked, or it was otherwise."""

    state: ServiceState
    since: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of all services at one time."""

    time: datetime
    services: Mapping[str, SeenState]


def states_of(health: Mapping[str, bool]) -> dict[str, ServiceState]:
    """Returns the state of each service: LIMITED where each of its replicas that serve does so without something."""
    return {name: _state(name, health) for name in sorted(health) if "-" not in name and "/" not in name}


def _state(name: str, health: Mapping[str, bool]) -> ServiceState:
    if not health[name]:
        return ServiceState.NOT_SERVING
    replicas = [each for each in health if each.startswith(f"{name}-") and "/" not in each] or [name]
    serving = [each for each in replicas if health[each]]
    lacking = {each.partition("/")[0] for each, there in health.items() if "/" in each and not there}
    return ServiceState.LIMITED if set(serving) <= lacking else ServiceState.SERVING


class ServiceStates:
    """Looks at the services, and remembers since when each stands where it does."""

    def __init__(self, health: Health, clock: Clock) -> None:
        self._health = health
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._seen: Seen | None = None

    async def seen(self) -> Seen:
        """Returns what was seen in the last seconds; many who ask at once have it looked at once."""
        async with self._one_at_a_time:
            # Either way: a clock that was put back must not keep what was seen until it comes there again.
            if self._seen is None or abs(self._clock.now() - self._seen.time) >= _FRESH:
                self._seen = await self._look(self._seen)
            return self._seen

    async def _look(self, before: Seen | None) -> Seen:
        states = states_of(await self._health())
        now = self._clock.now()
        known = before.services if before else {}
        return Seen(now, {name: _since(known.get(name), state, now) for name, state in states.items()})

    async def run(self) -> None:
        """Looks for ever."""
        await forever(_TASK, self.seen, _EVERY_SECONDS)


def _since(before: SeenState | None, state: ServiceState, now: datetime) -> SeenState:
    if before is None or before.state is not state:
        return SeenState(state, now)
    return SeenState(state, min(before.since, now))
