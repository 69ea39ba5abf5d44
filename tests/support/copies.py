"""Copies of a service's database, and an older one put back in its place, under the running service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from deploy.local.postgres import SUPERUSER
from libs.db.engine import read_dsn
from libs.process import Process
from tests.support.regions import owner_dsn
from tests.support.service import Ground

_SAME_RIGHTS = """
UPDATE pg_database AS copy SET datdba = live.datdba, datacl = live.datacl
FROM pg_database AS live WHERE live.datname = $1 AND copy.datname = $1 || '-copy'
"""


class Copy:
    """The copy of a database that there may be.

    Args:
        superuser: the DSN of who may copy it.
        name: the database's name.
    """

    def __init__(self, superuser: str, name: str) -> None:
        self._superuser = superuser
        self._name = name

    @asynccontextmanager
    async def _alone(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """Lends a connection to the server while nobody may connect to the database, or is."""
        connection = await asyncpg.connect(self._superuser)
        try:
            await connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS false')
            others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1"
            await connection.execute(others, self._name)
            yield connection
            await connection.execute(f'ALTER DATABASE "{self._name}" ALLOW_CONNECTIONS true')
        finally:
            await connection.close()

    async def make(self) -> None:
        """Copies the database."""
        async with self._alone() as connection:
            await connection.execute(f'CREATE DATABASE "{self._name}-copy" TEMPLATE "{self._name}"')
            await connection.execute(_SAME_RIGHTS, self._name)

    async def put_back(self) -> None:
        """Puts the copy in the place of the database; what was written since is gone."""
        async with self._alone() as connection:
            await connection.execute(f'DROP DATABASE "{self._name}"')
            await connection.execute(f'ALTER DATABASE "{self._name}-copy" RENAME TO "{self._name}"')


def copy_of_process(ground: Ground, process: Process) -> Copy:
    """The copy of the database of a service under test."""
    return Copy(ground.backends.postgres_dsn, str(sa.make_url(read_dsn(process.config.database.dsn_file)).database))


def copy_in_region(state: Path, region: str, service: str) -> Copy:
    """The copy of the database of a service of a region that runs."""
    password = (state / region / "secrets" / "postgres.password").read_text(encoding="utf-8").strip()
    url = sa.make_url(owner_dsn(state, region, service))
    superuser = url.set(username=SUPERUSER, password=password, database="postgres")
    return Copy(superuser.render_as_string(hide_password=False), str(url.database))
