"""Keeps the keys that sign tokens and codes: takes up what other replicas made, and makes the next in time."""

import asyncio
from dataclasses import dataclass

from libs.background import forever
from libs.db.engine import Database
from libs.db.leader import turn
from services.identity.core.signing_keys import TokenKeys

_ROTATE_SECONDS = 60.0
_RELOAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class KeyKeeper:
    """Loads and rotates the keys of one purpose in one process."""

    keys: TokenKeys
    database: Database

    async def run(self) -> None:
        """Loads and rotates for ever; one replica at a time makes keys.

        A key that leaked and was destroyed stops signing within seconds, also while the database is away.
        """
        await asyncio.gather(
            forever(f"{self.keys.purpose} keys", lambda: asyncio.to_thread(self.keys.load), _RELOAD_SECONDS),
            forever(f"next {self.keys.purpose} key", self.rotate_alone, _ROTATE_SECONDS),
        )

    async def rotate_alone(self) -> None:
        """Rotates while no other replica does."""
        async with self.database.transaction() as connection:
            await turn(connection, f"identity:{self.keys.purpose}-keys")
            await asyncio.to_thread(self.keys.rotate)
