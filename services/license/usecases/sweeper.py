"""Takes up what a crash or an absent neighbour left: drafts that nobody works on any more."""

import asyncio
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.clock import Clock
from libs.db.engine import Database, Row
from libs.db.leader import lead
from libs.errors import Internal, TongbanError
from libs.observability.logs import logger
from services.license.store.licenses import LicenseStore
from services.license.usecases.issue import Issuing, LicenseVoided, own_command

_log = logger(__name__)
_REDRAWN = "PAGE_CHANGED"


class Sweeper:
    """Finishes drafts, or voids them: one replica at a time."""

    def __init__(
        self, database: Database, store: LicenseStore, issuing: Issuing, wall: Clock, pause: float, patience: float
    ) -> None:
        self._database = database
        self._store = store
        self._issuing = issuing
        self._wall = wall
        self._pause = pause
        self._patience = timedelta(seconds=patience)

    async def run(self) -> None:
        """Sweeps for ever."""
        await lead(self._database, "license:sweeper", self._turn)

    async def _turn(self, _lock: AsyncConnection) -> None:
        while True:
            await self.sweep()
            await asyncio.sleep(self._pause)

    async def sweep(self) -> int:
        """Takes up every draft older than the patience, at most 50; returns how many were ended."""
        drafts = await self._store.drafts(self._wall.now() - self._patience)
        return sum([await self._end(row) for row in drafts])

    async def _end(self, row: Row) -> bool:
        try:
            page = await self._issuing.redraw(row)
        except Internal:
            # The bytes that the intent fixed can't be made any more (another version draws differently).
            await self._issuing.void(row, _REDRAWN)
            return True
        try:
            await self._issuing.finish(own_command("finish", row), row, page)
        except LicenseVoided:
            return True
        except TongbanError as error:
            _log.warning("draft waits", license=row.id, reason=error.reason)
            return False
        return True
