"""All that a region's processes may open fits into what PostgreSQL takes."""

from pathlib import Path

from deploy.local import postgres
from deploy.local.regions import SERVICES
from libs.config import DatabaseConfig

_BESIDE_POOLS = 9
"""Leaders (relay, integrator, consumers, sweepers), health, and a service's own: the ledger, mounted databases."""
_RESERVED = 15
"""For operators, migrations that run beside the services, and PostgreSQL's superuser."""


def test_the_pools_of_all_services_fit() -> None:
    command = postgres.command(Path("/data"), 5432)
    limit = next(int(part.partition("=")[2]) for part in command if part.startswith("max_connections="))
    size = DatabaseConfig(dsn_file=Path("a"), owner_dsn_file=Path("b")).pool_size
    assert len(SERVICES) * (2 * size + _BESIDE_POOLS) + _RESERVED <= limit
