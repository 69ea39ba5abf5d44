"""What every service's ``migrations/env.py`` runs: migrates over the connection that ``libs.db.migrate`` opened."""

import importlib
import importlib.util

import sqlalchemy as sa
from alembic import context

from libs.db.schema import COMMON


def metadata_of(service: str) -> list[sa.MetaData]:
    """Returns the tables that the service's database must hold: the common ones and its own."""
    if importlib.util.find_spec(f"services.{service}.app") is None:
        return [COMMON, importlib.import_module(f"services.{service}.tables").METADATA]
    importlib.import_module(f"services.{service}.app")  # with every feature come its tables
    return [COMMON, importlib.import_module(f"services.{service}.core.schema").METADATA]


def run() -> None:
    """Runs the migrations of the service that the configuration names."""
    attributes = context.config.attributes
    connection: sa.Connection = attributes["connection"]
    connection.execute(sa.text("SET lock_timeout = '4s'"))
    connection.execute(sa.text("SET statement_timeout = '60s'"))
    context.configure(
        connection=connection, target_metadata=metadata_of(attributes["service"]), compare_server_default=True
    )
    with context.begin_transaction():
        context.run_migrations()
