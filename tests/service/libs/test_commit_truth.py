"""Who says OK knows that it was committed: whatever a caller, a deadline or the database does, at any await."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db.engine import Database, read_dsn
from libs.db.uow import Transaction, UnitOfWork
from libs.process import Process
from tests.support import sql
from tests.support.cancelling import at_every_await, at_every_turn
from tests.support.events import Done
from tests.support.process import command, process_of
from tests.support.service import Ground
from tongban.common.v1 import common_pb2

SINGLE = common_pb2.Money(fen=1)
_INSERT = sa.text(
    "INSERT INTO idempotency (caller, method, request_id, digest, response) VALUES ('c', 'm', :id, '', '')"
)
_FOUND = "SELECT count(*) FROM idempotency WHERE request_id = $1"
_RECORDED = "SELECT count(*) FROM audit_records WHERE object = $1"


class Bench:
    """A database of one connection, so that whatever a cancelled use left in it meets the next, and a witness beside."""

    def __init__(self, process: Process, witness: asyncpg.Connection) -> None:
        self.database = Database(read_dsn(process.config.database.dsn_file), pool_size=1)
        self.uow = UnitOfWork(self.database, process.clock, process.cipher, process.wire, process.log)
        self.witness = witness

    async def insert(self, identifier: str = "") -> None:
        """Inserts a row in a transaction."""
        async with self.database.transaction() as connection:
            await sql.execute(connection, _INSERT, {"id": identifier or uuid.uuid4().hex})

    async def read(self) -> None:
        """Reads in two statements."""
        async with self.database.read() as connection:
            await sql.execute(connection, sa.text("SELECT 1"))
            await sql.execute(connection, sa.text("SELECT pg_sleep(0.001)"))

    async def run(self) -> None:
        """Runs a command."""

        async def work(tx: Transaction) -> common_pb2.Money:
            tx.emit("cases/1", Done(fen=1))
            return SINGLE

        await self.uow.run(command(SINGLE, common_pb2.Money), work)

    async def run_of_several(self) -> None:
        """Runs a command that asks before it writes, so that it begins and commits."""

        async def work(tx: Transaction) -> common_pb2.Money:
            await sql.execute(tx.connection, "SELECT 1")
            tx.emit("cases/1", Done(fen=1))
            return SINGLE

        await self.uow.run(command(SINGLE, common_pb2.Money), work)

    async def step(self) -> None:
        """Runs a step of a command."""

        async def work(tx: Transaction) -> None:
            await sql.execute(tx.connection, _INSERT, {"id": uuid.uuid4().hex})

        await self.uow.step(command(SINGLE, common_pb2.Money), work)

    async def whoever_comes_next(self, where: str) -> None:
        """What is acknowledged after a cut-off use is in its table, by all ways of writing; what is read is right."""
        identifier, about = uuid.uuid4().hex, uuid.uuid4().hex
        await self.insert(identifier)
        assert await self.witness.fetchval(_FOUND, identifier) == 1, f"lost after a cancellation at {where}"

        async def work(tx: Transaction) -> common_pb2.Money:
            tx.about = about
            return SINGLE

        once = command(SINGLE, common_pb2.Money)
        await self.uow.run(once, work)
        assert await self.witness.fetchval(_FOUND, once.request_id) == 1, f"lost after a cancellation at {where}"
        assert await self.witness.fetchval(_RECORDED, about) == 1, f"unrecorded after a cancellation at {where}"
        async with self.database.read() as connection:
            assert await sql.scalar(connection, sa.text("SELECT CAST(:a AS text)"), {"a": about}) == about


@pytest_asyncio.fixture
async def bench(ground: Ground) -> AsyncIterator[Bench]:
    """The bench, on the real PostgreSQL."""
    async with process_of(ground) as process:
        witness = await asyncpg.connect(read_dsn(process.config.database.dsn_file))
        found = Bench(process, witness)
        yield found
        await witness.close()
        await found.database.close()


Use = Callable[[Bench], Awaitable[None]]
USES = pytest.mark.parametrize(
    "use",
    [Bench.insert, Bench.read, Bench.run, Bench.run_of_several, Bench.step],
    ids=["transaction", "read", "run", "run of several", "step"],
)


@USES
async def test_cancelled_at_any_await_nothing_acknowledged_vanishes(bench: Bench, use: Use) -> None:
    await use(bench)
    assert await at_every_await(lambda: use(bench), bench.whoever_comes_next) > (0 if use is Bench.run else 1)


@USES
async def test_cancelled_at_any_await_of_the_first_connection(bench: Bench, use: Use) -> None:
    """The same where the connection must be opened first, as after a start or a failure."""

    async def anew() -> None:
        await bench.database.close()
        await use(bench)

    assert await at_every_await(anew, bench.whoever_comes_next) > 1


@USES
async def test_cancelled_after_any_turn_nothing_acknowledged_vanishes(bench: Bench, use: Use) -> None:
    """The issue's own: after 1, 3, 5 or 7 turns of the event loop, and after all others."""
    await use(bench)
    assert await at_every_turn(lambda: use(bench), bench.whoever_comes_next) > 1


async def test_those_who_wait_for_a_connection_may_go(bench: Bench) -> None:
    """A place in the queue that is given up is given to the next, in whatever moment that happens."""
    for turns in range(12):
        async with bench.database.transaction():
            waiting = [asyncio.ensure_future(bench.insert()) for _ in range(5)]
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in waiting[:3]:
            task.cancel()
        await asyncio.wait(waiting)
        assert [task.cancelled() for task in waiting[3:]] == [False, False]
        await bench.whoever_comes_next(f"turn {turns}")
