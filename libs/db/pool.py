"""The connections of a process: few, waited for briefly, and none lent again that was not given back whole."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from libs.db.connection import DatabaseConnection
from libs.db.failures import NoRoom, is_gone
from libs.db.protocol import is_quiet, is_whole
from libs.observability import metrics

OWN = 12
"""So many connections of their own a process's leaders, its presence and its health check hold at most, beside the pool."""
_WAIT_SECONDS = 3.0
Connect = Callable[[], Awaitable[Any]]
"""Opens a connection of the driver's."""
Opening = asyncio.Task[DatabaseConnection]


@dataclass(slots=True, eq=False)
class PoolSide:
    """Those who want connections for the same: reads, or transactions.

    Attributes:
        most: so many it may have at once.
        lent: so many it has.
        waiting: those who wait for one, the first come first.
    """

    most: int
    lent: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)


class ConnectionPool:
    """At most ``size`` connections, the one used last lent first.

    Reads and transactions share them. A quarter is kept for each side, so that neither waits for the other to end: who holds
    a transaction may read beside it, and reads go on while all transactions wait for locks. Where both sides wait for a
    place, the one that has fewer gets it.

    A connection that the server closed, or over which it does not answer, stands for all of its age: the server was
    killed, or the way to it was cut. So the first such failure ends the age, and no call after it meets another one.

    Opening runs as a task of its own, which nobody's leaving ends: a caller who goes leaves the connection to the next, and
    not half a handshake, whose failure the driver would tell to nobody.
    """

    def __init__(self, connect: Connect, size: int) -> None:
        most = size - size // 4
        self.reads, self.transactions = PoolSide(most), PoolSide(most)
        self._connect = connect
        self._free = size
        self._own = 0
        self._age = 0
        self._idle: list[DatabaseConnection] = []
        self._opening: set[Opening] = set()

    async def take(self, side: PoolSide) -> DatabaseConnection:
        """Lends a connection; raises NoRoom where all are in use for too long, or what opening one raised."""
        if self._free and side.lent < side.most and not side.waiting:
            self._lend(side)
        else:
            await self._place(side)
        while self._idle:
            connection = self._idle.pop()
            if self._is_good(connection):
                return connection
            connection.drop()
        return await self._open(side)

    def give(self, side: PoolSide, connection: DatabaseConnection, error: BaseException | None, *, fit: bool) -> None:
        """Takes a connection back. Only one that is ``fit`` and at rest is lent again; ``error`` came over it, if any."""
        if error is not None and is_gone(error) and not is_whole(connection.driver):
            self.ended(connection.age)
        self._keep(connection, fit=fit)
        self._leave(side)

    def ended(self, age: int) -> None:
        """Ends an age, if it is the present one: what is idle is dropped at once, what is lent when it comes back."""
        if age != self._age:
            return  # of many connections that fail at once the first is news
        self._age += 1
        metrics.DATABASE_RENEWALS.inc()
        self._clear()

    async def open_own(self, connect: Connect) -> DatabaseConnection:
        """Opens a connection beside those that are lent, for who holds it for long; raises NoRoom where there are ``OWN``."""
        if self._own == OWN:
            raise NoRoom
        self._own += 1
        return await self._opened(connect, DatabaseConnection.drop, self._leave_own)

    def end_own(self, connection: DatabaseConnection, error: BaseException | None) -> None:
        """Ends a connection of one's own; ``error`` came over it, if any."""
        connection.drop()
        self._leave_own()
        if error is not None and is_gone(error):
            self.ended(connection.age)

    async def close(self) -> None:
        """Drops what is idle, and what is being opened: that ends by itself, in seconds, where the server doesn't answer."""
        self._clear()
        if self._opening:
            await asyncio.wait(set(self._opening))
            await asyncio.sleep(0)  # for those whose callers went: what was opened for them is kept now
        self._clear()

    def _clear(self) -> None:
        while self._idle:
            self._idle.pop().drop()

    def _is_good(self, connection: DatabaseConnection) -> bool:
        return connection.age == self._age and is_quiet(connection.driver)

    def _keep(self, connection: DatabaseConnection, *, fit: bool) -> None:
        if fit and self._is_good(connection):
            self._idle.append(connection)
        else:
            connection.drop()

    def _lend(self, side: PoolSide) -> None:
        self._free -= 1
        side.lent += 1

    def _leave(self, side: PoolSide) -> None:
        self._free += 1
        side.lent -= 1
        if self.reads.waiting or self.transactions.waiting:
            self._hand_on()

    def _hand_on(self) -> None:
        """Gives what is free to those who wait, from hand to hand: nobody who comes later is before them."""
        while self._free:
            able = [side for side in (self.reads, self.transactions) if side.waiting and side.lent < side.most]
            if not able:
                return
            side = min(able, key=lambda each: each.lent)
            waiter = side.waiting.popleft()
            if not waiter.done():
                self._lend(side)
                waiter.set_result(None)

    async def _place(self, side: PoolSide) -> None:
        waiter = asyncio.get_running_loop().create_future()
        side.waiting.append(waiter)
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._leave(side)  # it was given a place in the moment in which it went
            elif waiter in side.waiting:
                side.waiting.remove(waiter)
            if isinstance(error, TimeoutError):
                raise NoRoom from error
            raise

    def _leave_own(self) -> None:
        self._own -= 1

    async def _open(self, side: PoolSide) -> DatabaseConnection:
        return await self._opened(self._connect, partial(self._keep, fit=True), partial(self._leave, side))

    async def _opened(
        self, connect: Connect, keep: Callable[[DatabaseConnection], None], leave: Callable[[], None]
    ) -> DatabaseConnection:
        """Opens a connection. Where that fails its place is left; where the caller went meanwhile it is kept first."""

        def ended(task: Opening) -> None:
            if not task.cancelled() and task.exception() is None:
                keep(task.result())
            leave()

        task = asyncio.ensure_future(self._connected(connect, self._age))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(ended)
            raise
        except BaseException:
            leave()
            raise

    async def _connected(self, connect: Connect, age: int) -> DatabaseConnection:
        try:
            return DatabaseConnection(await connect(), age)
        except Exception as error:
            if is_gone(error):
                self.ended(age)
            raise
