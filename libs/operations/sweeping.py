"""Forgets operations whose time is over."""

from datetime import timedelta

from libs.config import UploadsConfig
from libs.db.engine import Database
from libs.operations import store
from libs.sweeps.sweep import Backlog

_EXPIRED = "SELECT id AS key, owner AS party FROM operations WHERE expire_time < now()"


def backlog_of(database: Database, config: UploadsConfig) -> Backlog:
    """Makes the backlog of a service's operations; it is swept with the uploads, which results are."""

    async def forget(key: str) -> None:
        async with database.read() as connection:
            await store.FORGET.execute(connection, {"id": key})

    # A clock that is wrong once forgets nothing (decision 0030).
    return Backlog("clock_operations", _EXPIRED, forget, confirm=timedelta(seconds=config.patience_seconds))
