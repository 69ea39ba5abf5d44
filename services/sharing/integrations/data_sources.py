"""The databases whose tables are mounted: read-only connections, few, with a limit on time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from libs.db.engine import read_dsn
from libs.errors import TongbanError, Unavailable, reasons
from services.sharing.config import DataSource

_CONNECT_SECONDS = 2.0
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)

_COLUMNS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1::text AND table_name = $2::text"
_ESTIMATE = (
    "SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = to_regclass(format('%I.%I', $1::text, $2::text))"
)
# The primary key, else the narrowest unique index: what tells a row from every other.
_KEY = """
SELECT array_agg(a.attname::text ORDER BY k.n) FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, n)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND k.n <= i.indnkeyatts
GROUP BY i.indexrelid, i.indisprimary HAVING bool_and(a.attnotnull)
ORDER BY i.indisprimary DESC, count(*), i.indexrelid LIMIT 1
"""


class SourceFault(Unavailable):
    """What came from a source, or what it said, is not what the last check let expect: look at the table again.

    Where that tells nothing it is an error as it is: DEPENDENCY_UNAVAILABLE, the source fails by itself.
    """

    def __init__(self, source: str) -> None:
        super().__init__(
            "DEPENDENCY_UNAVAILABLE",
            f"the data source {source} fails",
            retry_after=5.0,
            dependency=f"data_sources/{source}",
        )


@dataclass(frozen=True, slots=True)
class TableInspection:
    """What a table is.

    Attributes:
        columns: the readable columns with their types; empty where there is no such table.
        estimated_rows: PostgreSQL's estimate, -1 where it has none.
        key: the columns that tell a row from every other; empty where the table has no unique key.
    """

    columns: Mapping[str, str]
    estimated_rows: int
    key: tuple[str, ...] = ()


class DataSources:
    """The configured databases, by name. A pool is opened on first use, so that an absent one stops nobody else."""

    def __init__(self, configured: Mapping[str, DataSource]) -> None:
        self._configured = configured
        self._pools: dict[str, Any] = {}
        self._opening = asyncio.Lock()

    def __contains__(self, name: object) -> bool:
        return name in self._configured

    async def fetch(self, source: str, statement: str, arguments: Sequence[Any]) -> list[Any]:
        """Reads rows.

        Raises:
            Unavailable: DEPENDENCY_UNAVAILABLE, where the database does not answer in time, or has no connection free: a
                source that hangs costs its own callers a few seconds each, and nobody else anything.
            SourceFault: where it refuses the statement, or gives what the driver can't read.
        """
        try:
            return await self._fetch(source, statement, arguments)
        except TongbanError:
            raise
        except _AWAY as error:
            raise _away(source) from error
        except (asyncpg.PostgresError, ValueError, TypeError, ArithmeticError) as error:
            # The driver's own words hold values, and never leave.
            raise SourceFault(source) from error

    async def _fetch(self, source: str, statement: str, arguments: Sequence[Any]) -> list[Any]:
        pool = self._pools.get(source) or await self._open(source)
        # Where one is free there is nothing to wait for, and a time-out would cost a task a query.
        connection = await (pool.acquire() if pool.get_idle_size() else pool.acquire(timeout=_CONNECT_SECONDS))
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
        except (TimeoutError, asyncio.CancelledError):
            # To wait until a hanging server takes the cancellation back would hold the connection and its caller.
            connection.terminate()
            raise
        finally:
            await pool.release(connection)
        return rows

    async def inspect(self, source: str, schema: str, table: str) -> TableInspection:
        """Looks at a table as it is; raises Unavailable DEPENDENCY_UNAVAILABLE."""
        try:
            columns, estimate, key = [
                await self.fetch(source, look, (schema, table)) for look in (_COLUMNS, _ESTIMATE, _KEY)
            ]
        except SourceFault:  # the catalogue itself can't be read, or the schema not be entered
            return TableInspection({}, -1)
        readable = dict(map(tuple, columns))
        unique = tuple(key[0][0]) if key and set(key[0][0]) <= readable.keys() else ()
        return TableInspection(readable, estimate[0][0] if estimate else -1, unique)

    async def _open(self, name: str) -> Any:
        async with self._opening:
            if name not in self._pools:
                if name not in self._configured:
                    raise _away(name)
                self._pools[name] = await _pool(self._configured[name])
        return self._pools[name]

    async def close(self) -> None:
        """Closes all connections."""
        for pool in self._pools.values():
            try:
                await asyncio.wait_for(pool.close(), _CONNECT_SECONDS)
            except TimeoutError:
                pool.terminate()


def _away(source: str) -> TongbanError:
    return reasons.dependency_unavailable(
        f"the data source {source} does not answer",
        retry_after=1.0,
        dependency=f"data_sources/{source}",
    )


async def _pool(config: DataSource) -> Any:
    return await asyncpg.create_pool(
        read_dsn(config.dsn_file),
        min_size=0,
        max_size=config.pool_size,
        reset=_keep,
        timeout=_CONNECT_SECONDS,
        command_timeout=config.statement_timeout_ms / 1000 + 1,
        server_settings={
            "application_name": "tongban sharing",
            "default_transaction_read_only": "on",
            "statement_timeout": str(config.statement_timeout_ms),
            "search_path": "pg_catalog",
            "DateStyle": "ISO",
            "TimeZone": "UTC",
        },
    )


async def _keep(_: object) -> None:
    """Leaves a connection as it is: nothing here changes one, and a reset would cost a round trip a query."""
