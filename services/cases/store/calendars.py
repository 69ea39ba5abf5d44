"""The working-day calendar in PostgreSQL, and the newest revisions in memory."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db.engine import Database, Row
from libs.errors import FailedPrecondition, not_found
from services.cases.domain.calendar import Calendar, DayKind, DayRow
from services.cases.tables import calendar_days, calendars

_KEEP_SECONDS = 5.0
_NEWEST = sa.text("SELECT year, max(revision) AS revision FROM calendars GROUP BY year ORDER BY year")
_DAYS = sa.text("""
SELECT day, kind, note FROM calendar_days JOIN
  (SELECT year, max(revision) AS revision FROM calendars GROUP BY year) AS newest USING (year, revision) ORDER BY day
""")
_YEAR = sa.select(calendars).where(calendars.c.year == sa.bindparam("year")).order_by(sa.desc("revision")).limit(1)
_DAYS_OF_YEAR = sa.select(calendar_days).where(
    calendar_days.c.year == sa.bindparam("year"), calendar_days.c.revision == sa.bindparam("revision")
).order_by("day")  # fmt: skip
_INSERT = sa.text("""
WITH made AS (
  INSERT INTO calendars (year, revision, source, create_time) VALUES (:year, :revision, :source, :now)
  ON CONFLICT DO NOTHING RETURNING year
)
INSERT INTO calendar_days (year, revision, day, kind, note)
SELECT CAST(:year AS smallint), CAST(:revision AS integer), d.day, d.kind, d.note
FROM unnest(:days, :kinds, :notes) AS d (day, kind, note) WHERE EXISTS (SELECT 1 FROM made)
""").bindparams(
    sa.bindparam("days", type_=sa.ARRAY(sa.Date)), sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("notes", type_=sa.ARRAY(sa.Text)),
)  # fmt: skip
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('calendar:' || :year, 0))")


class CalendarStore:
    """Years and their days."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._revisions: tuple[tuple[int, int], ...] = ()
        self._calendar: Calendar | None = None
        self._until = 0.0

    async def current(self) -> Calendar:
        """Returns the calendar of the newest revisions, at most five seconds old; raises CALENDAR_UNKNOWN without one."""
        if self._calendar is None or self._until <= time.monotonic():
            await self._refresh()
        if self._calendar is None:
            raise FailedPrecondition("CALENDAR_UNKNOWN", "no calendar was imported", date="")
        return self._calendar

    async def _refresh(self) -> None:
        async with self._database.read() as connection:
            revisions = tuple((row.year, row.revision) for row in (await connection.execute(_NEWEST)).all())
            if revisions != self._revisions:
                found = (await connection.execute(_DAYS)).all()
                table = [DayRow(row.day, DayKind(row.kind), row.note) for row in found]
                self._calendar = Calendar(_last_run(table)) if table else None
                self._revisions = revisions
        self._until = time.monotonic() + _KEEP_SECONDS

    def forget(self) -> None:
        """Reads anew at the next use, after an import made here."""
        self._until = 0.0

    async def year(self, year: int) -> tuple[Row, Sequence[Row]]:
        """Reads the newest revision of a year and its days; raises NotFound."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(_YEAR, {"year": year})).first()
            if row is None:
                raise not_found(f"calendars/{year}")
            values = {"year": year, "revision": row.revision}
            return row, (await connection.execute(_DAYS_OF_YEAR, values)).all()

    async def next_revision(self, connection: AsyncConnection, year: int) -> int:
        """Returns the number of a year's next revision; keeps others from importing the year until then."""
        await connection.execute(_LOCK, {"year": str(year)})
        row: Row | None = (await connection.execute(_YEAR, {"year": year})).first()
        return 1 if row is None else int(row.revision) + 1

    async def insert(
        self, connection: AsyncConnection, year: int, revision: int, source: str, days: Sequence[DayRow], now: datetime
    ) -> None:
        """Writes a revision; one that is there already stays as it is."""
        await connection.execute(_INSERT, {
            "year": year, "revision": revision, "source": source, "now": now, "days": [each.day for each in days],
            "kinds": [str(each.kind) for each in days], "notes": [each.note for each in days],
        })  # fmt: skip


def _last_run(table: Sequence[DayRow]) -> Sequence[DayRow]:
    """Returns the newest days without a gap: where a year between two was never imported, the earlier ones are cut."""
    first = len(table) - 1
    while first > 0 and table[first].day - table[first - 1].day == timedelta(days=1):
        first -= 1
    return table[first:]
