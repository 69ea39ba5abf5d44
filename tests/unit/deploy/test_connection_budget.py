"""All that a region's processes may open fits into what PostgreSQL takes."""

from pathlib import Path

from deploy.local import postgres
from deploy.local.own_settings import OwnSettings


def test_the_pools_of_all_services_fit() -> None:
    command = postgres.command(Path("/data"), 5432)
    limit = next(int(part.partition("=")[2]) for part in command if part.startswith("max_connections="))
    assert OwnSettings().connections(replicas=1) <= limit
