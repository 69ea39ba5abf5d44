"""A server that went away, or does not answer: one call finds out for all, and nobody is told what isn't known."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db import engine, pool
from libs.db.engine import Database, read_dsn
from libs.db.failures import ProtocolError
from libs.db.protocol import begin
from libs.db.uow import Transaction, UnitOfWork
from libs.errors import FailedPrecondition, Internal, TongbanError, Unavailable
from libs.process import Process
from tests.support import sql
from tests.support.events import Done
from tests.support.process import command, process_of
from tests.support.service import Ground
from tests.support.wire import Pipe, Wire, wire_to
from tongban.common.v1 import common_pb2

SINGLE = common_pb2.Money(fen=1)
_CONNECTIONS = 12
"""So many may read at once: three quarters of the pool."""
_EFFECTS = "SELECT count(*) FROM outbox WHERE subject = $1"


@dataclass
class Line:
    """A database at the end of a wire, and a witness who sits beside the server."""

    process: Process
    wire: Wire
    database: Database
    witness: asyncpg.Connection

    @property
    def uow(self) -> UnitOfWork:
        """Runs commands over the wire."""
        return UnitOfWork(self.database, self.process.clock, self.process.cipher, self.process.wire, self.process.log)

    async def fill(self) -> None:
        """Has all connections that reads may have open, and none in use."""
        everybody = asyncio.Barrier(_CONNECTIONS)

        async def one() -> None:
            async with self.database.read() as connection:
                await sql.execute(connection, sa.text("SELECT 1"))
                await everybody.wait()

        await asyncio.gather(*(one() for _ in range(_CONNECTIONS)))

    async def failures(self, calls: int) -> list[str]:
        """Reads one after the other; what the calls that failed said."""
        found = []
        for _ in range(calls):
            try:
                await self.database.ping()
            except TongbanError as error:
                found.append(error.reason)
        return found

    async def effects(self, subject: str) -> int:
        """How often work for ``subject`` was done."""
        return int(await self.witness.fetchval(_EFFECTS, subject))

    def lose(self, words: bytes, *, silent: bool) -> None:
        """Lets the answer be lost to the next that the server is sent with such words, or that itself (``silent``)."""

        def watch(pipe: Pipe, data: bytes) -> None:
            if words in data:
                pipe.silent, pipe.deaf = silent, True
                self.wire.watch = lambda _pipe, _data: None

        self.wire.watch = watch


@pytest_asyncio.fixture
async def line(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    """The line; nothing is waited for long."""
    monkeypatch.setattr(engine, "_ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(pool, "_WAIT_SECONDS", 0.2)
    async with process_of(ground) as process:
        dsn = read_dsn(process.config.database.dsn_file)
        witness = await asyncpg.connect(dsn)
        async with wire_to(dsn) as wire:
            database = Database(wire.dsn(dsn), _CONNECTIONS * 4 // 3)
            yield Line(process, wire, database, witness)
            await database.close()
        await witness.close()


async def test_of_twelve_silent_connections_one_is_met(line: Line) -> None:
    """The way to the server was cut, and no packet says so: the first call that waits in vain renews all."""
    await line.fill()
    line.wire.fall_silent()
    assert await line.failures(2 * _CONNECTIONS) == ["DEPENDENCY_UNAVAILABLE"]


async def test_of_twelve_closed_connections_at_most_one_is_met(line: Line) -> None:
    await line.fill()
    line.wire.cut()
    assert await line.failures(2 * _CONNECTIONS) in ([], ["DEPENDENCY_UNAVAILABLE"])


async def test_transactions_learn_from_reads(line: Line) -> None:
    async with line.database.transaction():
        pass
    await line.fill()
    line.wire.fall_silent()
    assert await line.failures(1) == ["DEPENDENCY_UNAVAILABLE"]
    async with line.database.transaction():
        pass


async def test_who_finds_all_connections_in_use_does_not_wait_long(line: Line) -> None:
    everybody, go = asyncio.Barrier(_CONNECTIONS + 1), asyncio.Event()

    async def hold() -> None:
        async with line.database.read():
            await everybody.wait()
            await go.wait()

    holding = [asyncio.ensure_future(hold()) for _ in range(_CONNECTIONS)]
    await everybody.wait()
    assert await line.failures(1) == ["DEPENDENCY_UNAVAILABLE"]
    go.set()
    await asyncio.gather(*holding)
    assert await line.failures(1) == []


@dataclass(frozen=True)
class Ending:
    """How a transaction ends.

    Attributes:
        words: what is sent last.
        before: what it asks of the database before that.
    """

    words: bytes
    before: tuple[str, ...]

    async def work(self, tx: Transaction) -> common_pb2.Money:
        """The work of a command that ends so."""
        for each in self.before:
            await sql.execute(tx.connection, each)
        return await _work(tx, "cases/1")


BY_COMMIT = Ending(b"COMMIT", ("SELECT 1",))
ALONE = Ending(b"cases/1", ())
"""One statement is the whole transaction: its values hold the subject."""
ENDINGS = pytest.mark.parametrize("ending", [BY_COMMIT, ALONE], ids=["by COMMIT", "one statement alone"])


async def _work(tx: Transaction, subject: str) -> common_pb2.Money:
    tx.emit(subject, Done(fen=1))
    return SINGLE


@ENDINGS
async def test_a_commit_whose_answer_is_lost_is_looked_up(line: Line, ending: Ending) -> None:
    """It was done: the same call finds that out by itself."""
    once = command(SINGLE, common_pb2.Money)
    line.lose(ending.words, silent=False)
    assert await line.uow.run(once, ending.work) == SINGLE
    assert await line.effects("cases/1") == 1


@ENDINGS
async def test_a_commit_that_is_lost_is_not_told_as_done(line: Line, ending: Ending) -> None:
    once = command(SINGLE, common_pb2.Money)
    line.lose(ending.words, silent=True)
    with pytest.raises(Unavailable) as error:
        await line.uow.run(once, ending.work)
    assert (error.value.reason, error.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": "database"})
    assert error.value.retry_after
    assert await line.effects("cases/1") == 0
    line.wire.cut()
    await line.failures(1)  # one call at most meets a connection that was cut while it was idle
    assert await line.uow.run(once, ending.work) == SINGLE
    assert await line.effects("cases/1") == 1


@ENDINGS
async def test_a_commit_that_arrives_late_is_done_once(line: Line, ending: Ending) -> None:
    """A frozen server takes it up when it wakes, after the caller gave up, and while the caller tries again."""
    once = command(SINGLE, common_pb2.Money)
    line.lose(ending.words, silent=True)
    with pytest.raises(Unavailable):
        await line.uow.run(once, ending.work)
    again = asyncio.ensure_future(line.uow.run(once, ending.work))
    late = next(pipe for pipe in line.wire.pipes if pipe.kept)
    late.deliver()
    assert await again == SINGLE
    assert await line.effects("cases/1") == 1


@ENDINGS
async def test_a_step_whose_commit_is_not_answered_is_not_told_as_done(line: Line, ending: Ending) -> None:
    line.lose(ending.words, silent=False)
    with pytest.raises(Unavailable):
        await line.uow.step(command(SINGLE, common_pb2.Money), ending.work)


async def test_a_refusal_is_not_told_while_it_may_be_a_repeats(line: Line) -> None:
    """The work was done before and fails now on its own effect; whether it was can't be looked up."""
    once = command(SINGLE, common_pb2.Money)
    await line.uow.run(once, lambda tx: _work(tx, "cases/1"))
    await line.fill()

    async def refuse(tx: Transaction) -> common_pb2.Money:
        await sql.execute(tx.connection, "SELECT 1")
        line.wire.fall_silent()
        raise FailedPrecondition("STATE_CONFLICT", "it is done already")

    with pytest.raises(Unavailable):
        await line.uow.run(once, refuse)
    assert await line.uow.run(once, refuse) == SINGLE


async def test_a_transaction_that_failed_is_not_committed_in_silence(line: Line) -> None:
    """Somebody swallows an error in the block; PostgreSQL answers COMMIT by ROLLBACK then."""

    async def swallow() -> None:
        async with line.database.transaction() as connection:
            driver = await connection.ready()
            await driver.execute(
                "INSERT INTO outbox (id, type, subject, traceparent, time, data)"
                " VALUES ('1', 't', 'cases/1', '', now(), '')"
            )
            with pytest.raises(asyncpg.DivisionByZeroError):
                await driver.fetchval("SELECT 1 / 0")

    with pytest.raises(Internal):
        await swallow()
    assert await line.effects("cases/1") == 0
    assert await line.failures(_CONNECTIONS) == []


async def test_where_a_transaction_can_not_begin_no_statement_stands_alone(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody gets over it in the block, and goes on."""

    async def refused(_driver: asyncpg.Connection) -> None:
        raise ProtocolError("the server did not begin a transaction")

    monkeypatch.setattr(engine, "begin", refused)
    write = (
        "INSERT INTO outbox (id, type, subject, traceparent, time, data) VALUES ('1', 't', 'cases/1', '', now(), '')"
    )
    async with line.database.transaction() as connection:
        for _ in range(2):
            with pytest.raises(ProtocolError):
                await sql.execute(connection, write)
    assert await line.effects("cases/1") == 0


async def test_a_connection_in_a_transaction_begins_none(line: Line) -> None:
    """It would be a part of the other one, whatever the driver says."""
    async with line.database.own() as connection:
        driver = connection.driver
        await driver.execute("BEGIN")
        with pytest.raises(ProtocolError):
            await begin(driver)


async def test_a_connection_that_was_left_in_a_transaction_is_not_lent_again(line: Line) -> None:
    async with line.database.read() as first:
        await first.driver.execute("BEGIN")
    async with line.database.read() as connection:
        assert connection is not first
        assert not connection.driver.is_in_transaction()


async def test_a_statement_that_was_cut_off_in_the_block_takes_its_connection_along(line: Line) -> None:
    """A time limit within the block that its owner gets over: the answer may still come, to whoever is next."""
    async with line.database.read() as first:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await first.driver.fetchval("SELECT pg_sleep(0.5)")
    async with line.database.read() as connection:
        assert connection is not first
        assert await connection.driver.fetchval("SELECT 7") == 7
