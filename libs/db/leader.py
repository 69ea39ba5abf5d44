"""One replica at a time, and who is there at all: session-level advisory locks, held on a connection of their own."""

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping

from libs.background import attempt, forever
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.failures import DATABASE_ERRORS
from libs.db.statement import Statement
from libs.observability.logs import logger

_log = logger(__name__)
_TRY_AGAIN_SECONDS = 1.0
_STAND_SECONDS = 5.0
_SHARE = Statement("SELECT pg_advisory_lock_shared(:key)")
_LET_GO = Statement("SELECT pg_advisory_unlock(:key)")
_TRY = Statement("SELECT pg_try_advisory_lock(:key)")
_TURN = Statement("SELECT pg_advisory_xact_lock(:key)")


def lock_key(task: str) -> int:
    """Returns the key of the advisory lock of ``task``."""
    return int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "big", signed=True)


async def turn(connection: DatabaseConnection, task: str) -> None:
    """Waits until no other transaction holds the turn of ``task``, and holds it to the end of the caller's."""
    await _TURN.execute(connection, {"key": lock_key(task)})


async def lead(database: Database, task: str, work: Callable[[DatabaseConnection], Awaitable[None]]) -> None:
    """Runs ``work`` for ever on whichever replica holds the lock of ``task``.

    ``work`` gets the connection that holds the lock and must write through it, in ``libs.db.protocol.begun``: when the
    connection dies the lock is gone, and with it the power to write. An error ends the turn, not the loop; a turn's
    connection is closed with it and never lent to anybody else.
    """

    async def one_turn() -> None:
        with _told(task):
            async with database.own() as connection:
                await _one_turn(connection, task, work)

    await forever(task, one_turn, _TRY_AGAIN_SECONDS)


@contextlib.contextmanager
def _told(task: str) -> Iterator[None]:
    """Ends a turn without a stack where the database went away: that is no fault of the work."""
    try:
        yield
    except DATABASE_ERRORS as error:
        _log.warning("turn ended", task=task, error=type(error).__name__)


async def _locked(connection: DatabaseConnection, key: Mapping[str, int]) -> bool:
    answer = await _TRY.first(connection, key)
    return answer is not None and bool(answer[0])


async def _one_turn(
    connection: DatabaseConnection, task: str, work: Callable[[DatabaseConnection], Awaitable[None]]
) -> None:
    while True:
        if await _locked(connection, {"key": lock_key(task)}):
            await work(connection)
            return
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


class Presence:
    """Is seen by other replicas of its kind for as long as it lives, by a shared lock.

    A process that sees nobody else knows that what was left under way before it began is nobody's: ``alone`` takes that up
    at once, instead of waiting for as long as the slowest that might still be at it. It looks again and again: what a process
    sent before it was killed may reach the tables after the first look, and a look may fail.
    """

    def __init__(self, database: Database, kind: str, alone: Callable[[], Awaitable[object]]) -> None:
        """Makes the presence of a process; ``alone`` must leave be what is younger than this process."""
        self._database = database
        self._kind = kind
        self._key = {"key": lock_key(f"presence:{kind}")}
        self._alone = alone

    async def run(self) -> None:
        """Stands for ever."""
        await forever(f"presence:{self._kind}", self._turn, _TRY_AGAIN_SECONDS)

    async def _turn(self) -> None:
        with _told(f"presence:{self._kind}"):
            async with self._database.own() as connection:
                await self._look(connection, seen=False)
                while True:
                    await asyncio.sleep(_STAND_SECONDS)
                    await self._look(connection, seen=True)

    async def _look(self, connection: DatabaseConnection, *, seen: bool) -> None:
        """Looks whether anybody else is there; one's own shared lock, once one is ``seen``, is in nobody's way."""
        nobody = await _locked(connection, self._key)
        if nobody:
            # Whatever that ends with, this process must be seen: the next would take up what is under way here.
            await attempt(f"alone:{self._kind}", self._alone)
        if not seen:
            await _SHARE.execute(connection, self._key)
        if nobody:
            await _LET_GO.execute(connection, self._key)
