"""A connection to the service's database: how one is opened, and what is lent of it."""

from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

CONNECT_SECONDS = 2.0
_STATEMENTS = 256
"""So many prepared statements a connection keeps: more than any service has."""
_SETTINGS = {
    "application_name": "tongban",
    # What we left behind must not keep its locks: a caller who went in the middle of a wait, a process that was frozen.
    "client_connection_check_interval": "2s",
    "idle_in_transaction_session_timeout": "30s",
}


class PendingChange(Protocol):
    """A change of an open transaction that was put off (``libs.db.change``)."""

    async def run(self, driver: Any) -> None:
        """Does it now, in a round trip of its own."""


@dataclass(slots=True, eq=False)
class DatabaseConnection:
    """An open connection, which statements of ``libs.db.query`` and ``libs.db.statement`` run on.

    Attributes:
        driver: asyncpg's; it begins no transaction by itself, so that each statement stands alone.
        age: which age of the server it was opened in (``libs.db.pool``).
        pending: what the transaction is still to change; every statement and the commit see it done.
    """

    driver: Any
    age: int
    pending: PendingChange | None = None

    async def settle(self) -> None:
        """Does what was put off."""
        if (change := self.take_pending()) is not None:
            await change.run(self.driver)

    def take_pending(self) -> PendingChange | None:
        """Returns what was put off, for who does it with a statement of their own."""
        change, self.pending = self.pending, None
        return change

    def drop(self) -> None:
        """Ends the connection now; nothing is waited for, so nothing can come between."""
        self.driver.terminate()


async def opened(dsn: str, statement_seconds: float, answer_seconds: float) -> Any:
    """Opens a connection of the driver's.

    Args:
        dsn: the database's.
        statement_seconds: after them a living server ends a statement by itself, and says so.
        answer_seconds: after them, where the server says nothing, the driver gives up.
    """
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_SECONDS,
        command_timeout=answer_seconds,
        statement_cache_size=_STATEMENTS,
        server_settings=_SETTINGS | {"statement_timeout": f"{round(statement_seconds * 1000)}ms"},
    )
