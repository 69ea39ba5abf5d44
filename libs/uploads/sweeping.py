"""Erases uploads that were given up, and gives up those whose time is over."""

from datetime import timedelta

from libs.config import UploadsConfig
from libs.db.engine import Database
from libs.sweeps.sweep import Backlog, Sweep
from libs.uploads import store
from libs.uploads.content import UploadContent

_EXPIRED = "SELECT id AS key, owner AS party FROM uploads WHERE expire_time < now() AND state <> 'DELETED'"
_DELETED = "SELECT id AS key, owner AS party FROM uploads WHERE state = 'DELETED'"


def sweep_of(
    service: str, database: Database, content: UploadContent, config: UploadsConfig, *further: Backlog
) -> Sweep:
    """Makes the sweep of a service's uploads, and of what ``further`` is to be swept with them.

    One that is deleted takes no part any more, and a part that a replica was about to write when it was is written, or never
    will be, long before it is erased: so that nothing is left that nobody knows of.
    """
    patience = timedelta(seconds=config.patience_seconds)

    async def give_up(key: str) -> None:
        async with database.read() as connection:
            await store.DELETE.first(connection, id=key)

    # A clock that is wrong once gives nothing up (decision 0030).
    expired = Backlog("clock_uploads", _EXPIRED, give_up, confirm=patience)
    deleted = Backlog("uploads_documents", _DELETED, content.erase, patience=patience)
    return Sweep(database, f"{service}:uploads", [expired, deleted, *further], config.sweep_seconds)
