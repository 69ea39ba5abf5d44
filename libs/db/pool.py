"""Connections that are lent: few, waited for briefly, and none lent again that was not given back whole."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NoReturn

import asyncpg
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from libs.db.failures import NoRoom, is_gone
from libs.db.protocol import driver_of, is_quiet, is_whole
from libs.observability import metrics

_WAIT_SECONDS = 3.0
_fresh: ContextVar[list[asyncpg.Connection]] = ContextVar("fresh")


class OwnConnection(AsyncConnection):
    """A connection whose every statement stands alone; transactions are begun by ``libs.db`` and nobody else.

    It is in AUTOCOMMIT: SQLAlchemy's own ``begin`` would begin nothing on it, and say nothing.
    """

    def begin(self) -> NoReturn:
        """Refuses: use ``Database.transaction`` or ``libs.db.protocol.begun``."""
        raise InvalidRequestError("transactions are begun by Database.transaction or libs.db.protocol.begun")


@dataclass(slots=True, eq=False)
class OpenConnection:
    """An open connection: SQLAlchemy's, the driver's under it, and which age of the server it was opened in."""

    connection: AsyncConnection
    driver: asyncpg.Connection
    age: int

    def drop(self) -> None:
        """Ends the connection now; nothing is waited for, so nothing can come between."""
        self.driver.terminate()
        sync = self.connection.sync_connection
        if sync is not None and not sync.closed:
            sync.invalidate()
            sync.close()


def engine_of(connect: Callable[[], Awaitable[asyncpg.Connection]]) -> AsyncEngine:
    """Returns an engine that keeps no connection by itself; ``connect`` opens the driver's."""

    async def create() -> asyncpg.Connection:
        driver = await connect()
        _fresh.get().append(driver)
        return driver

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=create,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        hide_parameters=True,
    )


async def opened(engine: AsyncEngine, age: int) -> OpenConnection:
    """Opens a connection in this age of the server; whatever stops that half way leaves none behind."""
    fresh: list[asyncpg.Connection] = []
    _fresh.set(fresh)
    connection = OwnConnection(engine)
    try:
        await connection.start()
    except BaseException:
        for driver in fresh:
            driver.terminate()
        raise
    return OpenConnection(connection, driver_of(connection), age)


@dataclass(slots=True, eq=False)
class DatabaseServer:
    """What the pools know in common of the one server behind them.

    A connection that the server closed, or over which it does not answer, stands for all of its age: the server was
    killed, or the way to it was cut. So the first such failure ends the age, and no call after it meets another one.
    """

    age: int = 0
    pools: "list[ConnectionPool]" = field(default_factory=list)

    def ended(self, age: int) -> None:
        """Ends this age, if it is the present one: what is idle is dropped at once, what is lent when it comes back."""
        if age != self.age:
            return  # of many connections that fail at once the first is news
        self.age += 1
        metrics.DATABASE_RENEWALS.inc()
        for pool in self.pools:
            pool.clear()


class ConnectionPool:
    """At most ``size`` connections, the one used last lent first.

    Opening one runs as a task of its own: a caller who goes does not end it, and the connection is for the next.
    """

    def __init__(self, engine: AsyncEngine, size: int, server: DatabaseServer) -> None:
        self._engine = engine
        self._server = server
        self._free = size
        self._idle: list[OpenConnection] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._opening: set[asyncio.Task[OpenConnection]] = set()
        server.pools.append(self)

    async def take(self) -> OpenConnection:
        """Lends a connection; raises NoRoom where all are in use for too long, or what opening one raised."""
        if self._free and not self._waiting:
            self._free -= 1
        else:
            await self._place()
        while self._idle:
            held = self._idle.pop()
            if self._is_good(held):
                return held
            held.drop()
        return await self._open()

    def give(self, held: OpenConnection, error: BaseException | None, *, fit: bool) -> None:
        """Takes a connection back. Only one that is ``fit`` and at rest is lent again; ``error`` came over it, if any."""
        if error is not None and is_gone(error) and not is_whole(held.driver):
            self._server.ended(held.age)
        if fit and self._is_good(held):
            self._idle.append(held)
        else:
            held.drop()
        self._leave()

    def clear(self) -> None:
        """Drops what is idle."""
        while self._idle:
            self._idle.pop().drop()

    async def close(self) -> None:
        """Drops what is idle and what is being opened."""
        self.clear()
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        if opening:
            await asyncio.wait(opening)
        self.clear()

    def _is_good(self, held: OpenConnection) -> bool:
        return held.age == self._server.age and not held.connection.invalidated and is_quiet(held.driver)

    def _leave(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)  # the place goes from hand to hand
                return
        self._free += 1

    async def _place(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._leave()  # it was given a place in the moment in which it went
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise NoRoom from error
            raise

    async def _open(self) -> OpenConnection:
        age = self._server.age
        task = asyncio.ensure_future(opened(self._engine, age))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(self._keep)
            raise
        except BaseException as error:
            self._leave()
            if is_gone(error):
                self._server.ended(age)
            raise

    def _keep(self, task: "asyncio.Task[OpenConnection]") -> None:
        """Puts away a connection whose caller went while it was opened."""
        if not task.cancelled() and task.exception() is None and self._is_good(task.result()):
            self._idle.append(task.result())
        elif not task.cancelled() and task.exception() is None:
            task.result().drop()
        self._leave()
