"""Brings a service's database to the newest schema: ``python -m libs.db.migrate --config identity.toml``.

Safe when several replicas start at once: an advisory lock lets one migrate while the others wait and find nothing to do.
The service is named by the file's stem. With ``--autogenerate MESSAGE`` a revision is written from the difference.
"""

import argparse
import asyncio
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

from libs.config import DatabaseConfig
from libs.db.engine import read_dsn

_ROOT = Path(__file__).resolve().parents[2]
_LOCK = 0x746F6E67


def alembic_config(service: str, connection: sa.Connection | None = None) -> Config:
    """Returns Alembic's configuration for ``service``."""
    config = Config()
    config.set_main_option("script_location", str(_ROOT / "services" / service / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["service"] = service
    return config


def upgrade(service: str, connection: sa.Connection, role: str) -> None:
    """Migrates and grants ``role`` what a service may do: everything on state, only SELECT and INSERT on evidence."""
    connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
    connection.commit()
    try:
        command.upgrade(alembic_config(service, connection), "head")
        connection.commit()
        _grant(connection, role, _evidence_tables(service))
        connection.commit()
    finally:
        connection.rollback()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


async def with_owner(owner_dsn: str, work: Callable[[sa.Connection], None]) -> None:
    """Runs ``work`` on a connection of the database's owner."""
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), hide_parameters=True)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(work)
    finally:
        await engine.dispose()


def _evidence_tables(service: str) -> set[str]:
    from libs.db.alembic_env import metadata_of  # noqa: PLC0415 - that module runs inside Alembic as well

    return {t.name for metadata in metadata_of(service) for t in metadata.tables.values() if t.info.get("evidence")}


def _grant(connection: sa.Connection, role: str, evidence: set[str]) -> None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", role):
        raise SystemExit(f"the role name {role!r} is not a plain identifier")
    connection.execute(sa.text(f'GRANT USAGE ON SCHEMA public TO "{role}"'))
    connection.execute(sa.text(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"'))
    connection.execute(sa.text(f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"'))
    for table in sorted(evidence):
        connection.execute(sa.text(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM "{role}"'))
    connection.execute(sa.text(f'REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM "{role}"'))


def main() -> None:
    """Runs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--autogenerate", metavar="MESSAGE")
    arguments = parser.parse_args()
    service, message = arguments.config.stem, arguments.autogenerate
    database = DatabaseConfig.model_validate(tomllib.loads(arguments.config.read_text(encoding="utf-8"))["database"])
    role = sa.make_url(read_dsn(database.dsn_file)).username or ""

    def work(connection: sa.Connection) -> None:
        if message:
            command.revision(alembic_config(service, connection), message, autogenerate=True)
        else:
            upgrade(service, connection, role)

    asyncio.run(with_owner(read_dsn(database.owner_dsn_file), work))


if __name__ == "__main__":
    main()
