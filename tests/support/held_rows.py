"""Holds a service of a running region up at a statement, by a lock in its database: what is killed there is killed at a place that is known."""

import asyncpg

from tests.support.patience import PATIENCE
from tests.support.process import until
from tests.support.regions import Regions

_WAITERS = "FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)) AND query LIKE $1"


class Held:
    """One lock in a service's database, taken and let go; as the superuser, who sees whom it holds up."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @classmethod
    async def of(cls, regions: Regions, region: str, service: str) -> "Held":
        """Opens a connection for it."""
        dsn = (regions.state / region / "secrets" / "postgres.dsn").read_text(encoding="utf-8").strip()
        return cls(await asyncpg.connect(dsn, database=service))

    async def take(self, statement: str, *values: object) -> None:
        """Takes the lock that a statement takes, for as long as it isn't let go."""
        await self._connection.execute("BEGIN")
        await self._connection.execute(statement, *values)

    async def let_go(self) -> None:
        """Lets it go."""
        await self._connection.execute("COMMIT")

    async def holds_up(self, statement: str) -> None:
        """Returns once a statement like this waits for the lock."""

        async def waits() -> bool:
            # Within a transaction the first look at the sessions would be kept.
            await self._connection.execute("SELECT pg_stat_clear_snapshot()")
            return bool(await self._connection.fetchval(f"SELECT count(*) {_WAITERS}", statement))

        await until(waits, PATIENCE)

    async def cut(self, statement: str) -> None:
        """Ends the sessions that wait so: their statements are never done, as if the machine had gone with the process."""
        await self._connection.fetch(f"SELECT pg_terminate_backend(pid) {_WAITERS}", statement)

    async def close(self) -> None:
        """Closes the connection, and lets go what it still holds."""
        await self._connection.close()
