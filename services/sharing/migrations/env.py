"""Alembic's entry; see ``libs.db.alembic_env``."""

from libs.db.alembic_env import run

run()
