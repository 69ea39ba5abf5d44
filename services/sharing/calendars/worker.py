"""Follows the region's calendar: at once where an import is told of, and once a minute whatever was told.

An event may be lost with its stream, and a service that starts has missed what came before it.
"""

from libs.background import forever
from libs.events.cloud_event import Event
from services.sharing.core.parts import Parts
from services.sharing.integrations.calendar import CalendarSource
from tongban.cases.v1.events_pb2 import CalendarImported

_EVERY_SECONDS = 60.0


class CalendarFollower:
    """Keeps the copy as new as what ``cases`` has."""

    def __init__(self, parts: Parts, source: CalendarSource) -> None:
        self._copy = parts.calendar
        self._source = source

    async def imported(self, event: Event, told: CalendarImported) -> None:  # noqa: ARG002 - every handler gets both
        """Takes over what was imported; where ``cases`` does not answer the event comes again."""
        await self.follow()

    async def run(self) -> None:
        """Follows for ever."""
        await forever("sharing:calendar", self.follow, _EVERY_SECONDS)

    async def follow(self) -> None:
        """Takes over what is newer there; raises DEPENDENCY_UNAVAILABLE."""
        edition, years = await self._source.newer(await self._copy.edition())
        if years:
            await self._copy.take(edition, years)
