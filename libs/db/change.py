"""Changes that are put off until what belongs to them is written, so that both take one round trip.

A change whose outcome nobody asks for (the row is locked, or new) needs no answer of its own. It waits with its connection: the
evidence of the transaction takes it into its own statement. Whatever else is asked of the connection before that,
and the commit, run it first: so a transaction reads what it wrote, and nothing is ever left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from libs.db.connection import DatabaseConnection
from libs.db.evidence import recorded
from libs.db.failures import ProtocolError
from libs.db.protocol import alone
from libs.db.query import columns_of, encoded
from libs.db.statement import Statement

Record = TypeVar("Record")


class Change(Generic[Record]):
    """A fixed change by common table expressions (``made AS (INSERT …), told AS (…)``), none of which the others read.

    A value whose parameter has the name of a column of ``record`` is written as that column is.
    """

    def __init__(self, record: type[Record], parts: str) -> None:
        self._record = record
        self._parts = parts.strip().rstrip(",")
        self.alone = Statement(f"WITH {self._parts} SELECT 1")
        self.beside = cache(self._beside)

    def _beside(self, parts: str) -> Statement:
        """Returns the statement that does this, and ``parts``, and writes the evidence of both."""
        return recorded(", ".join(filter(None, (self._parts, parts))))

    async def put_off(self, connection: DatabaseConnection, **values: Any) -> None:
        """Puts the change off; one that waits already is done.

        Raises:
            ProtocolError: no transaction is open, whose end would do it: it would wait for who is lent the connection next.
        """
        await self._wait(connection, encoded(self._record, values))

    async def _wait(self, connection: DatabaseConnection, values: Mapping[str, Any]) -> None:
        if not connection.is_in_transaction:
            raise ProtocolError("a change is put off outside of a transaction")
        if connection.pending is not None:
            await connection.ready()
        connection.pending = PutOff(self, values)


class Addition(Change[Record]):
    """Adds a row that was made here, with all of its columns."""

    def __init__(self, record: type[Record]) -> None:
        table, names = columns_of(record)
        # Named apart from the evidence's: a column may have the name of anything.
        self._parameters = {name: f"added_{name}" for name in names}
        given = ", ".join(f":{parameter}" for parameter in self._parameters.values())
        super().__init__(record, f"added AS (INSERT INTO {table} ({', '.join(names)}) VALUES ({given}))")  # noqa: S608 - names of our own columns

    async def add(self, connection: DatabaseConnection, made: Record) -> Record:
        """Puts the addition of a row off; returns it as it will stand."""
        values = encoded(self._record, {name: getattr(made, name) for name in self._parameters})
        await self._wait(connection, {self._parameters[name]: value for name, value in values.items()})
        return made


@dataclass(frozen=True, slots=True)
class PutOff:
    """A change with its values, waiting."""

    change: Change[Any]
    values: Mapping[str, Any]

    async def run(self, driver: Any) -> None:
        """Does it in a round trip of its own."""
        statement = self.change.alone
        await driver.fetch(statement.text, *statement.arguments(self.values))


async def close_with_evidence(connection: DatabaseConnection, parts: str, values: Mapping[str, Any]) -> None:
    """Writes a transaction's evidence, with ``parts`` and what was put off, in one statement, its last.

    Where it is the only one, it needs neither BEGIN nor COMMIT: a statement is all or nothing by itself.

    Raises:
        ValueError: what was put off has a parameter of the same name; it must be renamed.
        Unavailable: DEPENDENCY_UNAVAILABLE, no answer came to the only statement: it may have been done.
    """
    statement, values = _with_pending(connection, parts, values)
    if connection.opening is None:
        await statement.execute(connection, values)
    else:
        await alone(connection, statement.text, statement.arguments(values))


def _with_pending(
    connection: DatabaseConnection, parts: str, values: Mapping[str, Any]
) -> tuple[Statement, Mapping[str, Any]]:
    waiting = connection.take_pending()
    if waiting is None:
        return _plain(parts), values
    assert isinstance(waiting, PutOff)
    if shared := values.keys() & waiting.values.keys():
        raise ValueError(f"evidence and change both say {sorted(shared)}")
    return waiting.change.beside(parts), {**waiting.values, **values}


_plain = cache(recorded)
