"""What a process has of its database: one pool with one bound, which neither reads nor transactions can keep the others from."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from asyncpg import connect_utils

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database, read_dsn
from libs.db.failures import NoRoom
from libs.db.pool import OWN
from libs.db.statement import Statement, ping
from libs.process import Process
from tests.support.process import process_of
from tests.support.service import Ground

_SIZE = 8
_LOCK = 77
_BRIEFLY = Statement("SELECT pg_sleep(0.005)")
_WAIT = Statement(
    "SELECT pg_advisory_lock_shared(CAST(:key AS bigint)), pg_advisory_unlock_shared(CAST(:key AS bigint))"
)
_OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tongban'"
Use = Callable[[DatabaseConnection], Awaitable[None]]


class Desk:
    """A database of few connections, and a witness who counts them where they end: at the server."""

    def __init__(self, process: Process, witness: asyncpg.Connection) -> None:
        self.database = Database(read_dsn(process.config.database.dsn_file), _SIZE)
        self.witness = witness

    async def reads(self, use: Use) -> None:
        """Uses a connection for reads."""
        async with self.database.read() as connection:
            await use(connection)

    async def changes(self, use: Use) -> None:
        """Uses a transaction."""
        async with self.database.transaction() as connection:
            await use(connection)

    async def most_open(self, work: "asyncio.Future[Any]") -> int:
        """The most connections that the server saw until ``work`` was done."""
        most = 0
        while not work.done():
            most = max(most, await self.witness.fetchval(_OPEN))
        await work
        return most


@pytest_asyncio.fixture
async def desk(ground: Ground) -> AsyncIterator[Desk]:
    async with process_of(ground) as process:
        witness = await asyncpg.connect(read_dsn(process.config.database.dsn_file))
        found = Desk(process, witness)
        yield found
        await found.database.close()
        await witness.close()


async def _briefly(connection: DatabaseConnection) -> None:
    await _BRIEFLY.execute(connection, {})


async def _wait(connection: DatabaseConnection) -> None:
    await _WAIT.execute(connection, {"key": _LOCK})


async def test_a_process_never_opens_more_than_its_bound(desk: Desk) -> None:
    uses = [side(_briefly) for _ in range(100) for side in (desk.reads, desk.changes)]
    assert await desk.most_open(asyncio.gather(*uses)) == _SIZE


@pytest.mark.parametrize(("held", "going_on"), [(Desk.changes, Desk.reads), (Desk.reads, Desk.changes)])
async def test_neither_side_waits_for_the_other_to_end(desk: Desk, held: Any, going_on: Any) -> None:
    """All that one side may have waits for a lock, and more of it for a place; the other goes on."""
    await desk.witness.execute("SELECT pg_advisory_lock($1)", _LOCK)
    waiting = [asyncio.ensure_future(held(desk, _wait)) for _ in range(3 * _SIZE)]
    await asyncio.wait_for(asyncio.gather(*(going_on(desk, _briefly) for _ in range(50))), 2.0)
    assert not any(task.done() for task in waiting)
    await desk.witness.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    await asyncio.gather(*waiting)


async def test_who_holds_a_transaction_may_read_beside_it(desk: Desk) -> None:
    """Though all transactions there may be do so at once."""
    everybody = asyncio.Barrier(_SIZE - _SIZE // 4)

    async def read_beside(_: DatabaseConnection) -> None:
        await everybody.wait()
        await desk.reads(_briefly)

    await asyncio.gather(*(desk.changes(read_beside) for _ in range(everybody.parties)))


async def test_who_holds_connections_for_long_has_a_bound_too(desk: Desk) -> None:
    """One leader too many does not lead, and says why; when another ends there is room again."""
    everybody, go = asyncio.Barrier(OWN + 1), asyncio.Event()

    async def lead() -> None:
        async with desk.database.own() as connection:
            await ping(connection)
            await everybody.wait()
            await go.wait()

    leading = [asyncio.ensure_future(lead()) for _ in range(OWN)]
    await everybody.wait()
    with pytest.raises(NoRoom):
        async with desk.database.own():
            pass
    assert await desk.witness.fetchval(_OPEN) == OWN
    go.set()
    await asyncio.gather(*leading)
    async with desk.database.own() as connection:
        await ping(connection)


async def _own(desk: Desk) -> None:
    async with desk.database.own() as connection:
        await ping(connection)


async def _first_read(desk: Desk) -> None:
    await desk.database.ping()


@pytest.mark.parametrize("use", [_own, _first_read])
async def test_who_goes_while_a_connection_is_opened_leaves_no_failure_behind(
    desk: Desk, use: Callable[[Desk], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off in the handshake's first moment, the driver would tell of it to a future that nobody waits for."""
    loop, unheard = asyncio.get_running_loop(), list[Any]()
    loop.set_exception_handler(lambda _loop, context: unheard.append(context))

    class Handshake(connect_utils.TLSUpgradeProto):  # type: ignore[misc]
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            loop.call_soon(going[0].cancel)

    monkeypatch.setattr(connect_utils, "TLSUpgradeProto", Handshake)
    going = [asyncio.ensure_future(use(desk))]
    await asyncio.wait(going)
    assert going.pop().cancelled()
    await desk.database.close()
    await asyncio.sleep(0.01)  # the driver hears of a connection's end when the loop turns
    gc.collect()
    assert unheard == []
    monkeypatch.undo()
    await asyncio.gather(*(_own(desk) for _ in range(OWN)), *(_first_read(desk) for _ in range(_SIZE)))
