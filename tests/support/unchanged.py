"""What a service keeps, summed up: two sums are equal only where nothing was changed between them."""

import asyncio
import hashlib
from pathlib import Path

import asyncpg
import sqlalchemy as sa

from tests.support.service import Service

_TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
_SEQUENCES = "SELECT format('%I.%I', schemaname, sequencename), last_value::text FROM pg_sequences"
_ROWS = "SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(each::text), '' ORDER BY md5(each::text))), '') FROM {} AS each"


async def kept(service: Service) -> dict[str, str]:
    """Returns a sum of every table, how far every sequence is, and a sum of every file of the service."""
    found = await asyncio.to_thread(_files, Path(service.process.config.documents.folder))
    connection = await asyncpg.connect(_everything(service))
    try:
        found |= {name: str(last) for name, last in await connection.fetch(_SEQUENCES)}
        for (table,) in await connection.fetch(_TABLES):
            found[table] = await connection.fetchval(_ROWS.format(table))
    finally:
        await connection.close()
    return found


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names of what is not as it was."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _everything(service: Service) -> str:
    """The service's database, as one to whom nothing in it is closed."""
    own = sa.make_url(service.process.config.database.dsn_file.read_text(encoding="utf-8").strip())
    everything = sa.make_url(service.ground.backends.postgres_dsn).set(database=own.database)
    return everything.render_as_string(hide_password=False)


def _files(folder: Path) -> dict[str, str]:
    there = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
