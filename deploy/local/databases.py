"""Makes a database and two roles for each service, again and again with the same result.

The owner's role runs migrations. The application's role owns nothing: what it may do is granted here on everything the
owner will make, and the migrations take UPDATE and DELETE on evidence tables away again.

Run as ``python -m deploy.local.databases --dsn-file FILE --secrets FOLDER``.
"""

import argparse
import asyncio
from pathlib import Path

import asyncpg

from deploy.local.regions import SERVICES
from deploy.local.secret_files import dsn_password

DEPARTMENT = "department"
"""The database of a department's own system, which the sharing service mounts tables of."""
DATABASES = (*SERVICES, DEPARTMENT)

_APP_RIGHTS = """
GRANT CONNECT ON DATABASE "{service}" TO "{service}";
GRANT USAGE ON SCHEMA public TO "{service}";
ALTER DEFAULT PRIVILEGES FOR ROLE "{service}_owner" IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{service}";
ALTER DEFAULT PRIVILEGES FOR ROLE "{service}_owner" IN SCHEMA public
  GRANT USAGE, SELECT ON SEQUENCES TO "{service}";
"""


async def _role(server: "asyncpg.Connection[asyncpg.Record]", name: str, password: str) -> None:
    # Utility statements take no parameters; format(%L) quotes, and names are ours.
    exists = await server.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if exists else "CREATE"
    template = f'{verb} ROLE "{name}" LOGIN PASSWORD %L'
    await server.execute(await server.fetchval("SELECT format($1::text, $2::text)", template, password))


async def _database(server: "asyncpg.Connection[asyncpg.Record]", service: str) -> None:
    if await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", service):
        return
    await server.execute(f'CREATE DATABASE "{service}" OWNER "{service}_owner"')
    await server.execute(f'REVOKE ALL ON DATABASE "{service}" FROM PUBLIC')


async def ensure(superuser_dsn: str, secrets: Path, services: tuple[str, ...] = DATABASES) -> None:
    """Makes what is missing; passwords are those of ``<secrets>/<role>.dsn``."""
    server = await asyncpg.connect(superuser_dsn)
    try:
        for service in services:
            for role in (f"{service}_owner", service):
                await _role(server, role, dsn_password(secrets / f"{role}.dsn"))
            await _database(server, service)
    finally:
        await server.close()
    for service in services:
        inside = await asyncpg.connect(superuser_dsn, database=service)
        try:
            await inside.execute(_APP_RIGHTS.format(service=service))
        finally:
            await inside.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=ensure.__doc__)
    parser.add_argument("--dsn-file", type=Path, required=True)
    parser.add_argument("--secrets", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(ensure(arguments.dsn_file.read_text(encoding="utf-8").strip(), arguments.secrets))


if __name__ == "__main__":
    main()
