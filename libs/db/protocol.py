"""A transaction's protocol with the server, step by step, each step's answer seen.

The driver's own Transaction believes in itself: it counts as begun before BEGIN was answered, and COMMIT's answer is not
looked at. A cancellation at the wrong await then makes the next transaction a savepoint that nobody ever commits. So a
transaction here is what the *server* said: BEGIN was answered and the server stands in a transaction, COMMIT was answered
by COMMIT (a transaction that failed before is answered by ROLLBACK), and it stands in none.

BEGIN goes before the first statement, and not before the block: a transaction of one statement alone needs none of it.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import asyncpg

from libs.db.connection import DatabaseConnection
from libs.db.failures import DATABASE_ERRORS, OutcomeUnknown, ProtocolError, is_unsure
from libs.errors import reasons


def is_whole(driver: asyncpg.Connection) -> bool:
    """Whether the connection stands, and no statement on it was cut off whose answer may still come."""
    return not driver.is_closed() and not driver._protocol._is_cancelling()  # noqa: SLF001 - told nowhere else


def is_quiet(driver: asyncpg.Connection) -> bool:
    """Whether it is whole and stands in no transaction."""
    return is_whole(driver) and not driver.is_in_transaction()


async def begin(driver: asyncpg.Connection) -> None:
    """Begins a transaction on a quiet connection; raises ProtocolError where the server did not."""
    if not is_quiet(driver):
        raise ProtocolError("a transaction begins on a connection that is not at rest")
    if await driver.execute("BEGIN") != "BEGIN" or not driver.is_in_transaction():
        raise ProtocolError("the server did not begin a transaction")


async def alone(connection: DatabaseConnection, text: str, arguments: Sequence[Any]) -> None:
    """Does a transaction that has begun nothing yet whole, by one statement; what comes after it in its block is refused.

    Raises:
        Unavailable: DEPENDENCY_UNAVAILABLE, no answer came: it may have been done.
    """
    if not is_quiet(connection.driver):
        raise ProtocolError("a transaction begins on a connection that is not at rest")
    connection.opening = refuse
    try:
        await connection.driver.fetch(text, *arguments)
    except DATABASE_ERRORS as error:
        if is_unsure(error):
            raise OutcomeUnknown from error
        raise


async def refuse(_driver: asyncpg.Connection) -> None:
    """Stands where BEGIN would, once a transaction is done."""
    raise ProtocolError("a statement after the one that was to be its transaction's only one")


async def finish(connection: DatabaseConnection) -> None:
    """Commits what a block left; nothing, where it began nothing or is done.

    Raises:
        Unavailable: DEPENDENCY_UNAVAILABLE, no answer came: it may have been done.
        Internal: the transaction had failed before; nothing was done.
    """
    if connection.pending is not None:
        await connection.ready()
    if connection.opening is None:
        await commit(connection.driver)
    connection.opening = None


async def abandon(connection: DatabaseConnection, error: BaseException) -> bool:
    """Takes back what a block left that ended with ``error``; returns whether the connection is fit for further use."""
    connection.opening = None
    connection.take_pending()
    return await rollback(connection.driver, error)


async def commit(driver: asyncpg.Connection) -> None:
    """Commits.

    Raises:
        Unavailable: DEPENDENCY_UNAVAILABLE, no answer came: it may have been done.
        Internal: the transaction had failed before; nothing was done.
    """
    try:
        tag = await driver.execute("COMMIT")
    except Exception as error:
        if is_unsure(error):
            raise OutcomeUnknown from error
        raise
    if tag != "COMMIT":
        raise reasons.internal("a transaction that had failed was to be committed; nothing was done")
    if driver.is_in_transaction():
        raise OutcomeUnknown


async def rollback(driver: asyncpg.Connection, error: BaseException) -> bool:
    """Ends a transaction that ``error`` came out of; returns whether the connection is fit for further use.

    Only what an ordinary error leaves behind is worth an answer of the server's. A cancellation (the caller hung up, the
    time was over) may have come in the middle of anything: then the connection's end is the transaction's.
    """
    if not isinstance(error, Exception) or isinstance(error, ProtocolError) or not is_whole(driver):
        return False
    if not driver.is_in_transaction():
        return is_quiet(driver)
    try:
        answered = await driver.execute("ROLLBACK")
    except Exception:  # noqa: BLE001 - what matters is the error that led here
        return False
    return answered == "ROLLBACK" and is_quiet(driver)


class begun:  # noqa: N801 - used as a function
    """A transaction on a connection that is held for long (a leader's), begun and committed around a block.

    Whatever does not end in order ends the connection, and with it everything that hangs on it (a leader's lock).
    """

    __slots__ = ("_connection", "_driver")

    def __init__(self, connection: DatabaseConnection) -> None:
        self._connection = connection
        self._driver = connection.driver

    async def __aenter__(self) -> DatabaseConnection:
        try:
            await begin(self._driver)
        except BaseException:
            self._driver.terminate()
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fit = False
        try:
            if error is None:
                await finish(self._connection)
                fit = True
            else:
                fit = await abandon(self._connection, error)
        finally:
            if not fit:
                self._driver.terminate()
