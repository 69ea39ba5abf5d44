"""One service's database: what its connections are lent for, and for how long anything is waited for."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

import asyncpg
import sqlalchemy as sa
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.config import DatabaseConfig
from libs.db.failures import is_gone, translated
from libs.db.pool import ConnectionPool, DatabaseServer, OpenConnection, engine_of, opened
from libs.db.protocol import begin, commit, is_whole, rollback
from libs.errors import TongbanError
from libs.observability.tracing import Tracing

Row = sa.Row[*tuple[Any, ...]]
"""A row as a query returned it; its columns are attributes."""

_CONNECT_SECONDS = 2.0
_STATEMENT_SECONDS = 4
_ANSWER_SECONDS = 5.0
_SETTINGS = {
    "application_name": "tongban",
    # A living server ends a statement by itself and says so; where it says nothing it is the driver that gives up.
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    # What we left behind must not keep its locks: a caller who went in the middle of a wait, a process that was frozen.
    "client_connection_check_interval": "2s",
    "idle_in_transaction_session_timeout": "30s",
}
_LEADER_SECONDS = 30

Given = TypeVar("Given")
Span = AbstractContextManager[object]


class Database:
    """One service's database: transactions for writes, single statements for reads.

    Every connection is in AUTOCOMMIT: a read begins nothing and resets nothing, one round trip (measured: half the
    cost). A transaction is BEGIN and COMMIT sent and seen answered (``libs.db.protocol``); statements of SQLAlchemy and
    of the driver (``libs.db.statement``, for the hot ones) run in it.

    Reads and transactions have pools of ``pool_size`` each, for who holds a transaction may read beside it; the two know
    in common when the server went away. Leaders hold a connection of their own.
    """

    def __init__(self, dsn: str, pool_size: int = 12, tracing: Tracing | None = None) -> None:
        self._dsn = dsn
        self._tracing = tracing or Tracing()
        self._server = DatabaseServer()
        engine = engine_of(lambda: self._connect(_STATEMENT_SECONDS, _ANSWER_SECONDS))
        self._reads = ConnectionPool(engine, pool_size, self._server)
        self._steps = ConnectionPool(engine, pool_size, self._server)
        # Batches of leaders may take long under load, and nobody waits for their answers.
        self._own = engine_of(lambda: self._connect(_LEADER_SECONDS, _LEADER_SECONDS + 1.0))

    @classmethod
    def from_config(cls, config: DatabaseConfig, tracing: Tracing) -> "Database":
        """Opens the database whose DSN lies in the configured file; its uses are spans of ``tracing``."""
        return cls(read_dsn(config.dsn_file), config.pool_size, tracing)

    async def _connect(self, statement: int, answer: float) -> asyncpg.Connection:
        settings = _SETTINGS | {"statement_timeout": f"{statement}s"}
        return await asyncpg.connect(
            self._dsn, timeout=_CONNECT_SECONDS, command_timeout=answer, server_settings=settings
        )

    def transaction(self) -> "_Transaction":
        """Opens a transaction that is committed at the end of the block; driver errors come out translated.

        Where the block ends without an error the server has said that it is committed. Unavailable
        DEPENDENCY_UNAVAILABLE may mean that it was, too: a repeat with the same request_id finds out.
        """
        return _Transaction(self._steps, self._span("transaction"))

    def read(self) -> "_Read":
        """Lends a connection whose every statement stands alone; driver errors come out translated."""
        return _Read(self._reads, self._span("read"))

    def driver(self) -> "_Driver":
        """Lends the driver's own connection, every statement of which stands alone: for the few hottest paths.

        A lookup costs half of what it does through SQLAlchemy (measured: 0.036 ms against 0.083 ms). Parameters are
        ``$1``, ``$2``; a uuid comes as an object unless it is cast to text.
        """
        return _Driver(self._reads, self._span("read"))

    def _span(self, what: str) -> Span | None:
        # Not even an empty block where spans are off: a lookup is to cost nothing more.
        return self._tracing.span(f"postgresql {what}", SpanKind.CLIENT) if self._tracing.enabled else None

    def own(self) -> "_Own":
        """Opens a connection for who holds one for long, as leaders do; it is closed at the end of the block."""
        return _Own(self._own, self._server)

    async def ping(self) -> None:
        """Raises Unavailable unless the database answers."""
        async with self.read() as connection:
            await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Closes all connections that are not lent; those close when they come back."""
        await self._reads.close()
        await self._steps.close()


class _Lending(Generic[Given]):
    """One use of a lent connection: a span where spans are on, and errors in our own words.

    A class, and no generator: one that is dropped half way must still give its connection back without an await, and
    two generators would cost more than what they stand around.
    """

    __slots__ = ("_held", "_pool", "_span")

    def __init__(self, pool: ConnectionPool, span: Span | None) -> None:
        self._pool = pool
        self._span = span

    async def __aenter__(self) -> Given:
        if self._span is not None:
            self._span.__enter__()
        try:
            self._held = await self._pool.take()
            try:
                await self._begin(self._held)
            except BaseException as error:
                self._pool.give(self._held, error, fit=False)
                raise
        except BaseException as error:
            self._close_span(error)
            _raise_translated(error)
            raise
        return self._given(self._held)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fit, told = False, error
        try:
            fit = await self._end(self._held, error)
        except BaseException as failure:
            told = failure
            raise
        finally:
            # An error of the network that left the connection whole is another's: a neighbour's, a file's.
            whole = is_whole(self._held.driver)
            self._pool.give(self._held, _origin(told), fit=fit)
            self._close_span(told)
            if told is not None and not (isinstance(told, OSError) and whole):
                _raise_translated(told)

    def _close_span(self, error: BaseException | None) -> None:
        if self._span is not None:
            self._span.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    async def _begin(self, held: OpenConnection) -> None:
        """Does what stands before the block."""

    async def _end(self, held: OpenConnection, error: BaseException | None) -> bool:  # noqa: ARG002 - some need it
        """Does what stands after the block; returns whether the connection is fit to be lent again."""
        # Who was cancelled may have been in the middle of a statement.
        return error is None or isinstance(error, Exception)

    def _given(self, held: OpenConnection) -> Given:
        raise NotImplementedError


class _Read(_Lending[AsyncConnection]):
    __slots__ = ()

    def _given(self, held: OpenConnection) -> AsyncConnection:
        return held.connection


class _Driver(_Lending[asyncpg.Connection]):
    __slots__ = ()

    def _given(self, held: OpenConnection) -> asyncpg.Connection:
        return held.driver


class _Transaction(_Read):
    __slots__ = ()

    async def _begin(self, held: OpenConnection) -> None:
        await begin(held.driver)

    async def _end(self, held: OpenConnection, error: BaseException | None) -> bool:
        if error is not None:
            return await rollback(held.driver, error)
        await commit(held.driver)
        return True


class _Own:
    """A connection of one's own, for the length of a block; errors come out as they are."""

    __slots__ = ("_engine", "_held", "_server")

    def __init__(self, engine: Any, server: DatabaseServer) -> None:
        self._engine = engine
        self._server = server

    async def __aenter__(self) -> AsyncConnection:
        self._held = await opened(self._engine, self._server.age)
        return self._held.connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.drop()
        if error is not None and is_gone(error):
            self._server.ended(self._held.age)


def _origin(error: BaseException | None) -> BaseException | None:
    """What lies under an error in our own words: whether the server went away is told by that."""
    if isinstance(error, TongbanError):
        return error.__cause__
    return error


def _raise_translated(error: BaseException) -> None:
    if isinstance(error, Exception) and not isinstance(error, TongbanError):
        meaning = translated(error)
        if meaning is not None:
            raise meaning from error


def read_dsn(path: Path) -> str:
    """Reads a DSN from its file (secrets are configured by path, never by value)."""
    return path.read_text(encoding="utf-8").strip()
