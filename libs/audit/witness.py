"""Notices that a service's database was put back from an older copy: its log ends before a head that it had signed.

The newest signed head is kept in a file beside the service's keys, outside of the database. Where the log does not have that head
any more, what was written between the copy and the loss is gone: whatever the service said of it, to a citizen or to a neighbour, it
knows no more. Neighbours that were told compare by themselves (``libs.sweeps.comparison``); what nobody else knows can only be
told: by the log, by a figure, and by the head itself, signed, which is kept as proof of what there was.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from libs.audit.heads import SignedHead, head_from_json, head_to_json
from libs.audit.rows import HEAD, NEWEST_HEAD
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.statement import ping
from libs.observability import metrics
from libs.observability.logs import logger

_log = logger(__name__)
_PAUSE_SECONDS = 1.0


class Witness:
    """Remembers the newest head of a log.

    Args:
        database: holds the log.
        log: its name.
        folder: where ``log.head`` and ``log.lost`` lie; not to be put back together with the database.
    """

    def __init__(self, database: Database, log: str, folder: Path) -> None:
        self._database = database
        self._log = log
        self._file = folder / "log.head"
        self._lost = folder / "log.lost"
        self._size = -1

    async def run(self) -> None:
        """Looks for ever, on one replica at a time."""
        await lead(self._database, f"witness:{self._log}", self._turn)

    async def _turn(self, lock: DatabaseConnection) -> None:
        self._size = -1
        while True:
            await self.look()
            await asyncio.sleep(_PAUSE_SECONDS)
            await ping(lock)

    async def look(self) -> None:
        """Compares the log with what is remembered, tells what is gone, and remembers the newest head."""
        async with self._database.read() as connection:
            row = await NEWEST_HEAD.first(connection)
            newest = row.of_log(self._log) if row else None
            if newest is not None and newest.tree_size == self._size:
                return
            remembered = await asyncio.to_thread(self._remembered)
            if remembered is not None:
                known = await HEAD.first(connection, tree_size=remembered.tree_size)
                if known is None or known.root_hash != remembered.root_hash:
                    await asyncio.to_thread(self._tell, remembered, newest)
        await asyncio.to_thread(self._remember, newest)
        metrics.LOG_LOST.set(sum(each["records"] for each in self._losses()))

    def _remembered(self) -> SignedHead | None:
        try:
            return head_from_json(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return None

    def _remember(self, newest: SignedHead | None) -> None:
        self._size = newest.tree_size if newest else -1
        if newest is None:
            self._file.unlink(missing_ok=True)
            return
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(json.dumps(head_to_json(newest)), encoding="utf-8")
        os.replace(unfinished, self._file)

    def _tell(self, remembered: SignedHead, newest: SignedHead | None) -> None:
        left = newest.tree_size if newest else 0
        since = newest.sign_time.isoformat() if newest else ""
        # One at least: a log that went on after the copy may be as long as the one that is gone.
        records = max(1, remembered.tree_size - left)
        _log.error(
            "the log goes back: the database is an older copy",
            records=records,
            known_until=since,
            lost_until=remembered.sign_time.isoformat(),
        )
        entry = {"records": records, "knownUntil": since, "head": head_to_json(remembered)}
        with self._lost.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def _losses(self) -> Iterator[Any]:
        if self._lost.exists():
            yield from map(json.loads, self._lost.read_text(encoding="utf-8").splitlines())
