"""A connection to the service's database: how one is opened, and what is lent of it."""

from collections.abc import Awaitable, Callable
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
        opening: what the first statement of a transaction does before itself (``libs.db.protocol``); None outside of one, and
            where it is done.
        pending: what the transaction is still to change; every statement and the commit see it done.
    """

    driver: Any
    age: int
    opening: Callable[[Any], Awaitable[None]] | None = None
    pending: PendingChange | None = None

    async def ready(self) -> Any:
        """Does what the next statement is to find done, and returns the driver for it."""
        if self.opening is not None:
            await self.opening(self.driver)
            self.opening = None  # not before: where it fails, and somebody gets over that, no statement stands alone
        if (change := self.take_pending()) is not None:
            await change.run(self.driver)
        return self.driver

    @property
    def is_in_transaction(self) -> bool:
        """Whether a transaction is open, or will be with the next statement."""
        return self.opening is not None or bool(self.driver.is_in_transaction())

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
