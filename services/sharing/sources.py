"""The databases whose tables are mounted: read-only connections, few, with a limit on time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from libs.db.engine import read_dsn
from libs.errors import TongbanError, Unavailable, invalid_field
from services.sharing.config import DataSource
from services.sharing.domain.mounts import TableSource, quoted

_CONNECT_SECONDS = 2.0
_AWAY = (
    asyncpg.PostgresConnectionError, asyncpg.InsufficientResourcesError, asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, asyncpg.InterfaceError, OSError,
    TimeoutError,
)  # fmt: skip

_COLUMNS = "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1::text AND table_name = $2::text"
_ESTIMATE = "SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = to_regclass($1)"


class TableUnreadable(Exception):
    """The table, or a column of it, is gone, or the role may no longer read it."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a table is: its readable columns with their types, and PostgreSQL's estimate of its rows (-1: none)."""

    columns: Mapping[str, str]
    estimated_rows: int


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
            InvalidArgument: FIELD_INVALID, where a value does not fit its column.
            Unavailable: DEPENDENCY_UNAVAILABLE, where the database does not answer in time.
            TableUnreadable: where the table is not what it was.
        """
        try:
            pool = self._pools.get(source) or await self._open(source)
            rows: list[Any] = await pool.fetch(statement, *arguments)
        except (asyncpg.DataError, ValueError) as error:
            # The driver's own words hold the value.
            raise invalid_field("conditions", "value.range", "a value does not fit its column") from error
        except asyncpg.SyntaxOrAccessError as error:
            raise TableUnreadable(source) from error
        except _AWAY as error:
            raise _away(source) from error
        return rows

    async def inspect(self, table: TableSource) -> Inspection:
        """Looks at a table as it is; raises Unavailable DEPENDENCY_UNAVAILABLE."""
        columns = await self.fetch(table.data_source, _COLUMNS, (table.schema, table.table))
        estimate = await self.fetch(table.data_source, _ESTIMATE, (quoted(table.schema, table.table),))
        return Inspection(dict(map(tuple, columns)), estimate[0][0] if estimate else -1)

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
            await pool.close()


def _away(source: str) -> TongbanError:
    return Unavailable(
        "DEPENDENCY_UNAVAILABLE", f"the data source {source} does not answer", retry_after=1.0,
        dependency=f"data_sources/{source}",
    )  # fmt: skip


async def _pool(config: DataSource) -> Any:
    return await asyncpg.create_pool(
        read_dsn(config.dsn_file), min_size=0, max_size=config.pool_size, reset=_keep, timeout=_CONNECT_SECONDS,
        command_timeout=config.statement_timeout_ms / 1000 + 1,
        server_settings={
            "application_name": "tongban sharing", "default_transaction_read_only": "on",
            "statement_timeout": str(config.statement_timeout_ms), "search_path": "pg_catalog",
        },
    )  # fmt: skip


async def _keep(_: object) -> None:
    """Leaves a connection as it is: nothing here changes one, and a reset would cost a round trip a query."""
