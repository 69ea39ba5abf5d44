"""Forgets scans of codes that ended long ago, so that their table stays as small as a day or two."""

from dataclasses import dataclass
from datetime import timedelta

from libs.background import forever
from libs.clock import Clock
from libs.db.engine import Database
from services.identity.codes import store

KEPT = timedelta(days=1)
"""How long behind its end a scan is kept: no clock that steps by less lets a code be scanned again."""
_TURN_SECONDS = 60.0
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class ForgottenScans:
    """Forgets what no code needs any more. ``wall`` is the machine's clock, by which codes live."""

    database: Database
    wall: Clock

    async def run(self) -> None:
        """Forgets for ever; replicas don't wait for one another."""
        await forever("forgotten scans", self.turn, _TURN_SECONDS)

    async def turn(self) -> None:
        """Forgets all there is."""
        forgotten = _AT_ONCE
        while forgotten == _AT_ONCE:
            async with self.database.read() as connection:
                forgotten = await store.forget(connection, self.wall.now() - KEPT, _AT_ONCE)
