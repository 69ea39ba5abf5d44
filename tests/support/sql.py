"""Rows as a test wants to see or to change them: whatever statement, run on a connection that the service lends."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from libs.db.connection import DatabaseConnection

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


Row = Any
"""A named tuple: its columns are attributes, too."""


class Found:
    """What a statement gave."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def all(self) -> list[Row]:
        """All rows."""
        return self._rows

    def first(self) -> Row | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None

    def one(self) -> Row:
        """The only row."""
        (row,) = self._rows
        return row

    def scalars(self) -> list[Any]:
        """The first column of all rows."""
        return [row[0] for row in self._rows]


async def execute(
    connection: DatabaseConnection, statement: "sa.Executable | str", values: Mapping[str, Any] | None = None
) -> Found:
    """Runs a statement: one of SQLAlchemy, or SQL without parameters."""
    text, arguments = (statement, []) if isinstance(statement, str) else _compiled(statement, values or {})
    driver = await connection.ready()
    found = await driver.fetch(text, *arguments)
    if not found:
        return Found([])
    given = list(found[0].keys())
    plain = [name.isidentifier() and name not in given[:place] for place, name in enumerate(given)]
    names = [name if good else f"column{place}" for place, (name, good) in enumerate(zip(given, plain, strict=True))]
    made: Any = NamedTuple("Row", [(name, Any) for name in names])  # type: ignore[misc]
    return Found([made(*map(_plain, row.values())) for row in found])


async def scalars(
    connection: DatabaseConnection, statement: "sa.Executable | str", values: Mapping[str, Any] | None = None
) -> list[Any]:
    """Runs a statement and returns the first column of all its rows."""
    return (await execute(connection, statement, values)).scalars()


async def scalar(
    connection: DatabaseConnection, statement: "sa.Executable | str", values: Mapping[str, Any] | None = None
) -> Any:
    """Runs a statement and returns the first column of its first row, or None."""
    row = (await execute(connection, statement, values)).first()
    return None if row is None else row[0]


async def end_others(connection: DatabaseConnection) -> None:
    """Ends all other clients' connections to the database, as an operator or a restart does."""
    # A worker of autovacuum is on the database, too, and is not ours to end.
    await execute(
        connection,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )


async def insert(connection: DatabaseConnection, statement: sa.Insert, many: Sequence[Mapping[str, Any]]) -> None:
    """Inserts many rows."""
    for values in many:
        await execute(connection, statement, values)


def _compiled(statement: Any, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    more: Any = {"column_keys": list(values)} if isinstance(statement, sa.Insert) and values else {}
    made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True}, **more)
    given = made.construct_params(dict(values))
    processors = made._bind_processors
    names = made.positiontup or []
    return made.string, [processors[name](given[name]) if name in processors else given[name] for name in names]


def _plain(value: Any) -> Any:
    """As the tables are declared: a UUID is its text."""
    return str(value) if isinstance(value, uuid.UUID) else value
