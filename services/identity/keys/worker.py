"""Keeps the keys that sign tokens and codes: takes up what other replicas made, makes the next in time, and does what people ordered."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from libs.background import forever
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import turn
from services.identity.core.signing_keys import TokenKeys
from services.identity.keys import store
from services.identity.keys.store import KeyOrder, OrderKind

_ROTATE_SECONDS = 60.0
_RELOAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class KeyKeeper:
    """Loads and rotates the keys of one purpose in one process."""

    keys: TokenKeys
    database: Database

    async def run(self) -> None:
        """Loads and rotates for ever; one replica at a time makes keys.

        A key that leaked and was destroyed stops signing within seconds, also while the database is away. What was ordered and not
        carried out, because whoever took the order was killed, is carried out by whoever is there.
        """
        await asyncio.gather(
            forever(f"{self.keys.purpose} keys", lambda: asyncio.to_thread(self.keys.load), _RELOAD_SECONDS),
            forever(f"orders of {self.keys.purpose} keys", self.carry_out, _RELOAD_SECONDS),
            forever(f"next {self.keys.purpose} key", self.rotate_alone, _ROTATE_SECONDS),
        )

    async def wait_turn(self, connection: DatabaseConnection) -> None:
        """Waits until nobody else makes keys of this purpose, or orders something of them; until the end of the transaction."""
        await turn(connection, f"identity:{self.keys.purpose}-keys")

    async def rotate_alone(self) -> None:
        """Rotates while no other replica does."""
        async with self.database.transaction() as connection:
            await self.wait_turn(connection)
            await asyncio.to_thread(self.keys.rotate)

    async def carry_out(self) -> None:
        """Brings the key store to what was ordered; again is the same."""
        async with self.database.read() as connection:
            ordered = await store.OF_PURPOSE.all(connection, purpose=self.keys.purpose)
        if ordered:
            await asyncio.to_thread(self._carry_out, ordered)

    def _carry_out(self, ordered: Sequence[KeyOrder]) -> None:
        self.keys.load()
        gone = store.revoked(ordered)
        for order in ordered:
            if order.kind is OrderKind.BEGIN and order.kid not in gone:
                self.keys.begin(order.kid)
        for kid in gone:
            self.keys.destroy(kid)
