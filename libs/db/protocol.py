"""A transaction's protocol with the server, step by step, each step's answer seen.

The driver's own Transaction believes in itself: it counts as begun before BEGIN was answered, and COMMIT's answer is not
looked at. A cancellation at the wrong await then makes the next transaction a savepoint that nobody ever commits. So a
transaction here is what the *server* said: BEGIN was answered and the server stands in a transaction, COMMIT was answered
by COMMIT (a transaction that failed before is answered by ROLLBACK), and it stands in none.
"""

from types import TracebackType

import asyncpg

from libs.db.connection import DatabaseConnection
from libs.db.failures import OutcomeUnknown, ProtocolError, is_unsure
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
    if not isinstance(error, Exception) or not is_whole(driver):
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
                await self._connection.settle()
                await commit(self._driver)
                fit = True
            else:
                self._connection.take_pending()
                fit = await rollback(self._driver, error)
        finally:
            if not fit:
                self._driver.terminate()
