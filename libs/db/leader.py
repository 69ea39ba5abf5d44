"""One replica at a time: a session-level advisory lock held on a connection of its own."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database
from libs.db.failures import DATABASE_ERRORS
from libs.errors import TongbanError
from libs.observability.logs import logger

_log = logger(__name__)
_TRY_AGAIN_SECONDS = 1.0
_TRY = sa.text("SELECT pg_try_advisory_lock(:key)")


def _key(task: str) -> int:
    return int.from_bytes(hashlib.sha256(task.encode()).digest()[:8], "big", signed=True)


async def lead(database: Database, task: str, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    """Runs ``work`` for ever on whichever replica holds the lock of ``task``.

    ``work`` gets the connection that holds the lock and must write through it, in ``libs.db.protocol.begun``: when the
    connection dies the lock is gone, and with it the power to write. An error ends the turn, not the loop; a turn's
    connection is closed with it and never lent to anybody else.
    """
    while True:
        try:
            async with database.own() as connection:
                await _one_turn(connection, task, work)
        except asyncio.CancelledError:
            raise
        except (TongbanError, *DATABASE_ERRORS) as error:
            _log.warning("turn ended", task=task, error=type(error).__name__)
        await asyncio.sleep(_TRY_AGAIN_SECONDS)


async def _one_turn(connection: AsyncConnection, task: str, work: Callable[[AsyncConnection], Awaitable[None]]) -> None:
    while True:
        if await connection.scalar(_TRY, {"key": _key(task)}):
            await work(connection)
            return
        await asyncio.sleep(_TRY_AGAIN_SECONDS)
