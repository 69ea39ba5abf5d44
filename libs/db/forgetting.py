"""Answers are kept for as long as a repeat may come, and then forgotten: they are people's data, and what is kept grows.

Contracts promise a year (docs/api-style.md, C3). What hand-overs and events repeat by themselves is repeated within days.
"""

import asyncio
from datetime import timedelta

from libs.background import forever
from libs.db.engine import Database
from libs.db.statement import Statement
from libs.observability.logs import logger

KEPT = timedelta(days=400)
"""For how long the answer to a request_id is kept: the promised year, and a month for clocks and holidays."""
PAUSE_SECONDS = 3600.0
_log = logger(__name__)

# No more than the oldest two hours' worth at a time: a clock that is wrong for an hour forgets next to nothing
# (docs/decisions/0030), and one that is right catches up.
_FORGET = Statement("""
DELETE FROM idempotency WHERE ctid = ANY(ARRAY(
  SELECT ctid FROM idempotency
  WHERE create_time < now() - CAST(:kept AS interval) AND create_time < CAST(:oldest AS timestamptz) + interval '2 hours'
  ORDER BY create_time LIMIT 1000
)) RETURNING 1
""")
_OLDEST = Statement("SELECT min(create_time) AS oldest FROM idempotency")


class Forgetting:
    """Deletes the answers that no repeat can ask for any more. Every replica may do it: it is right at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Forgets for ever, once an hour."""
        await forever("forgetting", self.forget, PAUSE_SECONDS)

    async def forget(self) -> int:
        """Forgets what is due of the oldest two hours, in short statements; returns how many answers went."""
        forgotten = 0
        async with self._database.read() as connection:
            oldest = await _OLDEST.first(connection, {})
            bounds = {"kept": KEPT, "oldest": oldest and oldest["oldest"]}
            while gone := len(await _FORGET.all(connection, bounds)):
                forgotten += gone
                await asyncio.sleep(0)
        if forgotten:
            _log.info("answers forgotten", count=forgotten)
        return forgotten
