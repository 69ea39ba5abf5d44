"""What a service's database role may do, and what a database in trouble means to a caller."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
import sqlalchemy as sa

from libs.db import leader, migrate
from libs.db.engine import Database, read_dsn
from libs.db.schema import COMMON
from libs.errors import Unavailable
from libs.process import Process
from tests.support import sql
from tests.support.contracts import OWNERS
from tests.support.patience import PATIENCE
from tests.support.process import command, process_of, running
from tests.support.service import Ground
from tongban.common.v1 import common_pb2


@pytest_asyncio.fixture(params=OWNERS)
async def each(request: pytest.FixtureRequest, ground: Ground) -> AsyncIterator[Process]:
    """Each of the five services on its migrated database."""
    async with process_of(ground, request.param) as process:
        yield process


@pytest_asyncio.fixture
async def process(ground: Ground) -> AsyncIterator[Process]:
    """One of them."""
    async with process_of(ground) as found:
        yield found


async def _privileges(connection: asyncpg.Connection, table: str) -> set[str]:
    words = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    return {word for word in words if await connection.fetchval("SELECT has_table_privilege($1, $2)", table, word)}


async def test_evidence_can_be_added_to_and_read_and_no_more(each: Process) -> None:
    connection = await asyncpg.connect(read_dsn(each.config.database.dsn_file))
    tables = migrate._evidence_tables(each.service)
    rights = {table: await _privileges(connection, table) for table in tables}
    await connection.close()
    assert tables >= {"audit_records", "audit_leaves", "audit_nodes", "audit_heads"}
    assert set(map(frozenset, rights.values())) == {frozenset({"SELECT", "INSERT"})}


async def test_the_role_owns_nothing_and_makes_nothing(each: Process) -> None:
    connection = await asyncpg.connect(read_dsn(each.config.database.dsn_file))
    mine = await connection.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
    super_user = await connection.fetchval(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    for statement in (
        "CREATE TABLE x (a int)",
        "DROP TABLE audit_records",
        "ALTER TABLE audit_records DISABLE TRIGGER ALL",
        "UPDATE alembic_version SET version_num = 'x'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()
    assert (mine, super_user) == (0, False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET object = 'x'",
        "DELETE FROM audit_records",
        "TRUNCATE audit_records",
        "UPDATE audit_heads SET tree_size = 1",
        "DELETE FROM audit_leaves",
        "UPDATE audit_nodes SET hash = ''",
    ],
)
async def test_what_was_recorded_stays(process: Process, statement: str) -> None:
    await process.audit.write(command(common_pb2.Date()), "persons/1")
    connection = await asyncpg.connect(read_dsn(process.config.database.dsn_file))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)
    assert await connection.fetchval("SELECT count(*) FROM audit_records") == 1
    await connection.close()


async def test_the_tables_are_those_that_the_migrations_make(each: Process) -> None:
    """A model that no revision follows would fail in production, not here."""
    connection = await asyncpg.connect(read_dsn(each.config.database.dsn_file))
    rows = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    )
    await connection.close()
    found = {(row["table_name"], row["column_name"]) for row in rows if row["table_name"] != "alembic_version"}
    from libs.db.alembic_env import metadata_of  # noqa: PLC0415 - it belongs to Alembic's own run

    wanted = {
        (table.name, column.name)
        for metadata in metadata_of(each.service)
        for table in metadata.tables.values()
        for column in table.columns
    }
    assert {table.name for table in COMMON.tables.values()} <= {name for name, _ in found}
    assert found == wanted


async def test_a_second_migration_finds_nothing_to_do(process: Process, ground: Ground) -> None:
    """Replicas that start at once migrate one after the other."""
    dsn = read_dsn(process.config.database.owner_dsn_file)

    def work(connection: sa.Connection) -> None:
        migrate.upgrade(process.service, connection, process.service)

    await asyncio.gather(*(migrate.with_owner(dsn, work) for _ in range(2)))


async def _unavailable(database: Database) -> str:
    with pytest.raises(Unavailable) as error:
        await database.ping()
    assert error.value.metadata == {"dependency": "database"}
    assert error.value.retry_after
    return error.value.reason


async def test_a_database_that_is_away_is_a_dependency(process: Process) -> None:
    nowhere = Database("postgresql://u:p@127.0.0.1:1/x")
    assert await _unavailable(nowhere) == "DEPENDENCY_UNAVAILABLE"
    await nowhere.close()


async def test_a_database_that_takes_no_connection_is_a_dependency(process: Process, ground: Ground) -> None:
    """PostgreSQL refuses while it starts, stops, or has no place left; the driver tells that in its own classes."""
    name = sa.make_url(read_dsn(process.config.database.dsn_file)).database
    server = await asyncpg.connect(ground.backends.postgres_dsn)
    await server.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    assert await _unavailable(process.database) == "DEPENDENCY_UNAVAILABLE"
    await server.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
    await server.close()
    await process.database.ping()


async def test_connections_that_were_cut_are_replaced(process: Process) -> None:
    await process.database.ping()
    async with process.database.transaction() as connection:
        await sql.end_others(connection)
    # Whether the first call still meets one of them depends on when the driver hears of it; no second does.
    with contextlib.suppress(Unavailable):
        await process.database.ping()
    await process.database.ping()


async def test_a_leader_goes_on_when_the_database_comes_back(
    process: Process, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While PostgreSQL takes no connections the task waits; it neither ends nor takes the process with it."""
    monkeypatch.setattr(leader, "_TRY_AGAIN_SECONDS", 0.01)
    name = sa.make_url(read_dsn(process.config.database.dsn_file)).database
    server = await asyncpg.connect(ground.backends.postgres_dsn)
    led = asyncio.Event()

    async def work(_connection: object) -> None:
        led.set()
        await asyncio.Event().wait()

    await server.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    async with running(lambda: leader.lead(process.database, "test", work)):
        await asyncio.sleep(0.1)
        assert not led.is_set()
        await server.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        await asyncio.wait_for(led.wait(), PATIENCE)
    await server.close()
