"""Fixed statements, run by the driver itself: there is nothing between them and the server.

Parameters are named as in ``:name``;
where PostgreSQL can't tell a parameter's type it must be cast (``CAST(:id AS uuid)``). A uuid comes as an object unless
it is cast to text.
"""

import re
from collections.abc import Mapping
from typing import Any

import asyncpg

from libs.db.connection import DatabaseConnection

_PARAMETER = re.compile(r"(?<!:):([a-z_][a-z0-9_]*)")


class Statement:
    """One fixed statement, its named parameters numbered once."""

    def __init__(self, text: str) -> None:
        self._names: tuple[str, ...] = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        numbers = {name: number for number, name in enumerate(self._names, start=1)}
        self.text = _PARAMETER.sub(lambda found: f"${numbers[found[1]]}", text)

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Returns the values in the order of the numbers; what the statement doesn't name is left out."""
        return [values[name] for name in self._names]

    async def execute(self, connection: DatabaseConnection, values: Mapping[str, Any]) -> None:
        """Runs the statement for its effect."""
        await self._rows(connection, values)

    async def first(self, connection: DatabaseConnection, values: Mapping[str, Any]) -> asyncpg.Record | None:
        """Runs the statement and returns its first row, or None."""
        driver = await connection.ready()
        return await driver.fetchrow(self.text, *self.arguments(values))

    async def all(self, connection: DatabaseConnection, values: Mapping[str, Any]) -> list[asyncpg.Record]:
        """Runs the statement and returns its rows."""
        return await self._rows(connection, values)

    async def _rows(self, connection: DatabaseConnection, values: Mapping[str, Any]) -> list[asyncpg.Record]:
        driver = await connection.ready()
        rows: list[asyncpg.Record] = await driver.fetch(self.text, *self.arguments(values))
        return rows


_PING = Statement("SELECT 1")


async def ping(connection: DatabaseConnection) -> None:
    """Raises where the connection, or the server behind it, is gone; with a leader's goes its lock."""
    await _PING.execute(connection, {})
