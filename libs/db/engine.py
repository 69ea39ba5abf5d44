"""One service's database: what its connections are lent for, and for how long anything is waited for."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from opentelemetry.trace import SpanKind

from libs.config import DatabaseConfig
from libs.db.connection import DatabaseConnection, opened
from libs.db.failures import translated
from libs.db.pool import Connect, ConnectionPool, PoolSide
from libs.db.protocol import abandon, begin, finish, is_whole
from libs.db.statement import ping
from libs.errors import TongbanError
from libs.observability.tracing import Tracing

_STATEMENT_SECONDS, _ANSWER_SECONDS = 4.0, 5.0
_LEADER_SECONDS = 30.0

Span = AbstractContextManager[object]


class Database:
    """One service's database: transactions for writes, single statements for reads.

    A read begins nothing and resets nothing, one round trip (measured: half the cost). A transaction is BEGIN and COMMIT
    sent and seen answered, or one statement alone (``libs.db.protocol``). Statements are those of ``libs.db.query`` and ``libs.db.statement``.

    Reads and transactions share one pool of ``pool_size`` connections. Who holds one for long (a leader) opens it beside, ``OWN`` (``libs.db.pool``)
    at most: so a process never has more than both together.
    """

    def __init__(self, dsn: str, pool_size: int = 24, tracing: Tracing | None = None) -> None:
        self._dsn = dsn
        self._tracing = tracing or Tracing()
        self._pool = ConnectionPool(self._connect, pool_size)

    @classmethod
    def from_config(cls, config: DatabaseConfig, tracing: Tracing) -> "Database":
        """Opens the database whose DSN lies in the configured file; its uses are spans of ``tracing``."""
        return cls(read_dsn(config.dsn_file), config.pool_size, tracing)

    async def _connect(self) -> Any:
        return await opened(self._dsn, _STATEMENT_SECONDS, _ANSWER_SECONDS)

    async def _connect_leader(self) -> Any:
        # Batches of leaders may take long under load, and nobody waits for their answers.
        return await opened(self._dsn, _LEADER_SECONDS, _LEADER_SECONDS + 1.0)

    def transaction(self) -> "_Transaction":
        """Opens a transaction that is committed at the end of the block; driver errors come out translated.

        Where the block ends without an error the server has said that it is committed. Unavailable
        DEPENDENCY_UNAVAILABLE may mean that it was, too: a repeat with the same request_id finds out.
        """
        return _Transaction(self._pool, self._pool.transactions, self._span("transaction"))

    def read(self) -> "_Lending":
        """Lends a connection whose every statement stands alone; driver errors come out translated."""
        return _Lending(self._pool, self._pool.reads, self._span("read"))

    def _span(self, what: str) -> Span | None:
        # Not even an empty block where spans are off: a lookup is to cost nothing more.
        return self._tracing.span(f"postgresql {what}", SpanKind.CLIENT) if self._tracing.enabled else None

    def own(self) -> "_Own":
        """Opens a connection for who holds one for long, as leaders do; it is closed at the end of the block."""
        return _Own(self._pool, self._connect_leader)

    async def ping(self) -> None:
        """Raises Unavailable unless the database answers."""
        async with self.read() as connection:
            await ping(connection)

    async def close(self) -> None:
        """Closes all connections that are not lent; those close when they come back."""
        await self._pool.close()


class _Lending:
    """One use of a lent connection: a span where spans are on, and errors in our own words.

    A class, and no generator: one that is dropped half way must still give its connection back without an await, and
    two generators would cost more than what they stand around.
    """

    __slots__ = ("_held", "_pool", "_side", "_span")

    def __init__(self, pool: ConnectionPool, side: PoolSide, span: Span | None) -> None:
        self._pool = pool
        self._side = side
        self._span = span

    async def __aenter__(self) -> DatabaseConnection:
        if self._span is not None:
            self._span.__enter__()
        try:
            self._held = await self._pool.take(self._side)
        except BaseException as error:
            self._close_span(error)
            _raise_translated(error)
            raise
        self._begin(self._held)
        return self._held

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
            self._pool.give(self._side, self._held, _origin(told), fit=fit)
            self._close_span(told)
            if told is not None and not (isinstance(told, OSError) and whole):
                _raise_translated(told)

    def _close_span(self, error: BaseException | None) -> None:
        if self._span is not None:
            self._span.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _begin(self, held: DatabaseConnection) -> None:
        """Notes what the first statement of the block is to do before itself."""

    async def _end(self, held: DatabaseConnection, error: BaseException | None) -> bool:  # noqa: ARG002 - some need it
        """Does what stands after the block; returns whether the connection is fit to be lent again."""
        # Who was cancelled may have been in the middle of a statement.
        return error is None or isinstance(error, Exception)


class _Transaction(_Lending):
    __slots__ = ()

    def _begin(self, held: DatabaseConnection) -> None:
        held.opening = begin

    async def _end(self, held: DatabaseConnection, error: BaseException | None) -> bool:
        if error is not None:
            return await abandon(held, error)
        await finish(held)
        return True


class _Own:
    """A connection of one's own, for the length of a block; errors come out as they are."""

    __slots__ = ("_connect", "_held", "_pool")

    def __init__(self, pool: ConnectionPool, connect: Connect) -> None:
        self._pool = pool
        self._connect = connect

    async def __aenter__(self) -> DatabaseConnection:
        self._held = await self._pool.open_own(self._connect)
        return self._held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.end_own(self._held, error)


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
