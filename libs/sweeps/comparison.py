"""Compares what another service once told with what it knows now: its database may have been put back from an older copy.

A hand-over whose two ends both said "done" waits for nothing, so that no query of one end finds that the other lost it. Here the
end that was told asks for the names that it was told, a page a call: the newest in every turn, back to those that were
compared before and on for as long as any is missing (a copy lacks the newest); one page of the older ones a turn besides,
round and round (a hole in the middle). Steady, that is two calls a turn, however much there is.

Whatever is missing is noted in ``retries`` and taken up by the sweep that follows :meth:`Comparison.backlog`; what is known
again is struck out.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.leader import lead
from libs.db.query import Query
from libs.db.statement import Statement, ping
from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.sweeps.fair import DueWork
from libs.sweeps.sweep import Backlog

_log = logger(__name__)
PAGE = 500
_MOST_PAGES = 200
"""So far back at once; what is older comes round."""
_MOST_OPEN = 10_000
"""So many are noted at once: a neighbour that lost everything gets it back bit by bit."""
_OPEN = "SELECT key, party FROM retries WHERE task = :task"
_OPEN_PAGE = Query(
    DueWork, "SELECT {columns} FROM retries WHERE task = :task AND key > :after ORDER BY key LIMIT :size"
)
_STRIKE = Statement("DELETE FROM retries WHERE task = :task AND key = ANY(CAST(:keys AS text[]))")
_NOTE = Statement("""
INSERT INTO retries (task, key, party, next_attempt)
SELECT CAST(:task AS text), key, party, now() FROM unnest(CAST(:keys AS text[]), CAST(:parties AS text[])) AS new (key, party)
ON CONFLICT DO NOTHING RETURNING key
""")
_A_DAY = timedelta(days=1)

Ask = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Asks the other end for up to ``PAGE`` names; answers those that it does not know."""


class HandOverComparison:
    """Compares one hand-over, on one replica at a time.

    Args:
        database: where what was told is kept.
        name: the hand-over's, as that of a ``Backlog``.
        told: SQL that gives ``key`` and ``party`` of everything that was told. Later keys sort after earlier ones (UUIDv7).
        ask: asks the other end.
        pause_seconds: from one turn to the next.
    """

    def __init__(self, database: Database, name: str, told: str, ask: Ask, pause_seconds: float) -> None:
        ordered = "ORDER BY key DESC LIMIT :size"
        self._newest = Query(DueWork, f"SELECT {{columns}} FROM ({told}) AS told {ordered}")  # noqa: S608 - texts of our own
        self._older = Query(DueWork, f"SELECT {{columns}} FROM ({told}) AS told WHERE key < :before {ordered}")  # noqa: S608 - as above
        self._database = database
        self._name = name
        self._ask = ask
        self._pause = pause_seconds
        self._compared = ""
        self._round = ""
        self._open = 0

    def backlog(self, take_up: Callable[[str], Awaitable[None]]) -> Backlog:
        """Returns what was found missing, as a sweep follows it."""
        return Backlog(self._name, _OPEN, take_up, lambda: {"task": self._name}, longest=_A_DAY)

    async def run(self) -> None:
        """Compares for ever."""
        await lead(self._database, f"comparison:{self._name}", self._turn)

    async def _turn(self, lock: DatabaseConnection) -> None:
        while True:
            try:
                await self.compare()
            except TongbanError as error:
                _log.warning("comparison waits", handover=self._name, reason=error.reason)
            await asyncio.sleep(self._pause)
            await ping(lock)

    async def compare(self) -> int:
        """Compares once; returns how many are missing. Raises the TongbanError that the other end answers with."""
        self._open = await self._strike_known()
        await self._compare_newest()
        self._round = await self._compare_page(self._round)
        metrics.HANDOVER_COMPARED.labels(self._name).set(time.time())
        return self._open

    async def _strike_known(self) -> int:
        """Strikes out what the other end knows again; returns how many are still missing."""
        after, left = "", 0
        while rows := await self._page(_OPEN_PAGE, task=self._name, after=after):
            missing = await self._ask([row.key for row in rows])
            known = [row.key for row in rows if row.key not in missing]
            if known:
                await self._write(_STRIKE, {"task": self._name, "keys": known})
            after, left = rows[-1].key, left + len(rows) - len(known)
        return left

    async def _compare_newest(self) -> None:
        newest, before = "", ""
        for _ in range(_MOST_PAGES):
            rows = await self._told(before)
            missing = await self._note(rows)
            if not rows:
                break
            newest, before = newest or rows[0].key, rows[-1].key
            # One page of those that were compared before has to be whole: whoever lost some may know newer ones already.
            if not missing and rows[0].key <= self._compared:
                break
        self._compared = newest or self._compared

    async def _compare_page(self, before: str) -> str:
        """Compares one page of all; returns where the next begins, which is the newest after the last."""
        rows = await self._told(before)
        await self._note(rows)
        return rows[-1].key if len(rows) == PAGE else ""

    async def _note(self, rows: Sequence[DueWork]) -> Collection[str]:
        missing = await self._ask([row.key for row in rows]) if rows else ()
        lost = [row for row in rows if row.key in missing][: max(0, _MOST_OPEN - self._open)]
        if lost:
            _log.error("what was told is known no more", handover=self._name, count=len(lost), newest=lost[0].key)
            self._open += await self._write(
                _NOTE,
                {
                    "task": self._name,
                    "keys": [row.key for row in lost],
                    "parties": [row.party for row in lost],
                },
            )
        return missing

    async def _told(self, before: str) -> Sequence[DueWork]:
        return await self._page(self._older, before=before) if before else await self._page(self._newest)

    async def _page(self, query: Query[DueWork], **values: str) -> Sequence[DueWork]:
        async with self._database.read() as connection:
            return await query.all(connection, size=PAGE, **values)

    async def _write(self, statement: Statement, values: dict[str, object]) -> int:
        """Returns how many rows the statement tells of."""
        async with self._database.read() as connection:
            return len(await statement.all(connection, values))
