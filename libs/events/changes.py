"""The log of public events: in the order in which the one relay took them up, for five weeks, to be read on after a place."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.background import forever
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.db.schema import changes
from libs.db.statement import Statement
from libs.observability.logs import logger

KEPT = timedelta(days=35)
"""For how long a change is kept at least."""
LOOKED = 2_000
"""So many changes a page looks at."""
PAUSE_SECONDS = 3600.0
_log = logger(__name__)


@of(changes)
@dataclass(frozen=True, slots=True)
class ChangePlace:
    """Where in the log a change stands: behind it a reader goes on."""

    position: int
    id: str


@of(changes)
@dataclass(frozen=True, slots=True)
class ChangeHead:
    """What decides whether a change is shown."""

    position: int
    id: str
    type: str
    subject: str

    @property
    def place(self) -> ChangePlace:
        """Where it stands."""
        return ChangePlace(self.position, self.id)


@of(changes)
@dataclass(frozen=True, slots=True)
class KeptChange:
    """A change as it is kept, its data closed up as it travelled."""

    position: int
    id: str
    type: str
    subject: str
    sequence: int
    time: datetime
    data: bytes


START = ChangePlace(0, "")
"""Before the first."""

LAST = Query(ChangePlace, "SELECT {columns} FROM changes ORDER BY position DESC LIMIT 1")
AT = Query(ChangePlace, "SELECT {columns} FROM changes WHERE position = :position")
BEFORE = Query(
    ChangePlace,
    "SELECT {columns} FROM changes WHERE log_time < :time ORDER BY log_time DESC, position DESC LIMIT 1",
)
ALL = Query(
    ChangeHead,
    "SELECT {columns} FROM changes WHERE position > :after AND position <= :last ORDER BY position LIMIT :most",
)
OF_SUBJECT = Query(
    ChangeHead,
    "SELECT {columns} FROM changes WHERE subject = :subject AND position > :after AND position <= :last"
    " ORDER BY position LIMIT :most",
)
SHOWN = Query(
    KeptChange,
    "SELECT {columns} FROM changes WHERE position = ANY(CAST(:positions AS bigint[])) ORDER BY position",
)

# The newest of those that are old enough stays: a cursor that stands there has missed nothing. No more than the oldest two hours'
# worth an hour, as in libs.db.forgetting (docs/decisions/0030).
_FRONTIER = Statement("""
SELECT position FROM changes
WHERE log_time < least(now() - CAST(:kept AS interval), (SELECT min(log_time) FROM changes) + interval '2 hours')
ORDER BY log_time DESC, position DESC LIMIT 1
""")
_FORGET = Statement("""
DELETE FROM changes WHERE position = ANY(ARRAY(
  SELECT position FROM changes WHERE position < :frontier ORDER BY position LIMIT 1000
)) RETURNING 1
""")


@dataclass(frozen=True, slots=True)
class Span:
    """What a page looked at.

    Attributes:
        heads: the changes, oldest first.
        end: behind the last that was looked at.
        at_end: whether nothing more stood there.
    """

    heads: list[ChangeHead]
    end: ChangePlace
    at_end: bool


async def stands(connection: DatabaseConnection, place: ChangePlace) -> bool:
    """Tells whether the change at a place is still there, and is the one that was there when the place was given out."""
    return place == START or await AT.first(connection, position=place.position) == place


async def before(connection: DatabaseConnection, time: datetime) -> ChangePlace:
    """Returns the place behind which everything stands that was committed at ``time`` or later."""
    return await BEFORE.first(connection, time=time) or START


async def span(connection: DatabaseConnection, after: ChangePlace, subject: str) -> Span:
    """Looks at the changes behind a place, of one subject where one is given."""
    # The end is read first: of what comes meanwhile nothing is passed by.
    last = await LAST.first(connection) or after
    along = OF_SUBJECT if subject else ALL
    heads = await along.all(connection, subject=subject, after=after.position, last=last.position, most=LOOKED)
    at_end = len(heads) < LOOKED
    return Span(heads, last if at_end else heads[-1].place, at_end)


class ForgettingChanges:
    """Deletes changes that are past their time. Every replica may do it: it is right at any time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Forgets for ever, once an hour."""
        await forever("forgetting changes", self.forget, PAUSE_SECONDS)

    async def forget(self) -> int:
        """Forgets what is due, in short statements; returns how many changes went."""
        forgotten = 0
        async with self._database.read() as connection:
            frontier = await _FRONTIER.first(connection, {"kept": KEPT})
            bound = {"frontier": frontier["position"] if frontier else 0}
            while gone := len(await _FORGET.all(connection, bound)):
                forgotten += gone
                await asyncio.sleep(0)
        if forgotten:
            _log.info("changes forgotten", count=forgotten)
        return forgotten
