"""Copies of a service's database, and an older one put back in its place, under the running service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import sqlalchemy as sa

from libs.db.engine import read_dsn
from libs.process import Process
from tests.support.service import Ground


@asynccontextmanager
async def _alone(ground: Ground, process: Process) -> AsyncIterator[tuple[asyncpg.Connection, str]]:
    """Lends a superuser's connection while nobody else may connect to the service's database, or is."""
    name = str(sa.make_url(read_dsn(process.config.database.dsn_file)).database)
    connection = await asyncpg.connect(ground.backends.postgres_dsn)
    try:
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield connection, name
        await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    finally:
        await connection.close()


async def copy(ground: Ground, process: Process) -> None:
    """Copies the service's database."""
    async with _alone(ground, process) as (connection, name):
        await connection.execute(f'CREATE DATABASE "{name}-copy" TEMPLATE "{name}"')


async def put_back(ground: Ground, process: Process) -> None:
    """Puts the copy in the place of the database; what was written since is gone."""
    async with _alone(ground, process) as (connection, name):
        await connection.execute(f'DROP DATABASE "{name}"')
        await connection.execute(f'ALTER DATABASE "{name}-copy" RENAME TO "{name}"')
