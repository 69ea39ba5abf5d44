"""The working-day calendar in PostgreSQL, and the newest revisions in memory."""

import time
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.civil.calendar import Calendar, DayKind, DayRow
from libs.db.engine import Database, Row
from libs.errors import not_found, reasons
from services.cases.tables import calendar_days, calendars

_KEEP_SECONDS = 5.0
_NEWEST = sa.text("SELECT year, max(revision) AS revision FROM calendars GROUP BY year ORDER BY year")
_EDITION = sa.text("SELECT count(*) AS edition FROM calendars")
_DAYS = sa.text("""
SELECT day, kind, note FROM calendar_days JOIN
  (SELECT year, max(revision) AS revision FROM calendars GROUP BY year) AS newest USING (year, revision) ORDER BY day
""")
_YEAR = sa.select(calendars).where(calendars.c.year == sa.bindparam("year")).order_by(sa.desc("revision")).limit(1)
_DAYS_OF_YEAR = (
    sa.select(calendar_days)
    .where(calendar_days.c.year == sa.bindparam("year"), calendar_days.c.revision == sa.bindparam("revision"))
    .order_by("day")
)
_INSERT = sa.text("""
WITH made AS (
  INSERT INTO calendars (year, revision, source, create_time) VALUES (:year, :revision, :source, :now)
  ON CONFLICT DO NOTHING RETURNING year
)
INSERT INTO calendar_days (year, revision, day, kind, note)
SELECT CAST(:year AS smallint), CAST(:revision AS integer), d.day, d.kind, d.note
FROM unnest(:days, :kinds, :notes) AS d (day, kind, note) WHERE EXISTS (SELECT 1 FROM made)
""").bindparams(
    sa.bindparam("days", type_=sa.ARRAY(sa.Date)),
    sa.bindparam("kinds", type_=sa.ARRAY(sa.Text)),
    sa.bindparam("notes", type_=sa.ARRAY(sa.Text)),
)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('calendars', 0))")


class CalendarStore:
    """Years and their days."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendar: Calendar | None = None
        self._until = 0.0

    async def current(self) -> Calendar:
        """Returns the calendar of the newest revisions, at most five seconds old; raises CALENDAR_UNKNOWN without one."""
        if self._calendar is None or self._until <= time.monotonic():
            await self._refresh()
        if self._calendar is None:
            raise reasons.calendar_unknown("no calendar was imported", date="")
        return self._calendar

    async def _refresh(self) -> None:
        async with self._database.read() as connection:
            edition = int((await connection.execute(_EDITION)).scalar_one())
            if edition and (self._calendar is None or edition != self._calendar.edition):
                found = (await connection.execute(_DAYS)).all()
                self._calendar = Calendar((DayRow(row.day, DayKind(row.kind), row.note) for row in found), edition)
        self._until = time.monotonic() + _KEEP_SECONDS

    async def edition(self) -> tuple[int, list[int]]:
        """Reads the number of imports there have been, and the years that are there, in order."""
        async with self._database.read() as connection:
            years = [int(row.year) for row in (await connection.execute(_NEWEST)).all()]
            return int((await connection.execute(_EDITION)).scalar_one()), years

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

    async def lock_years(self, connection: AsyncConnection) -> dict[int, int]:
        """Returns the newest revision of each year; keeps others from importing any until the transaction ends."""
        await connection.execute(_LOCK)
        return {int(row.year): int(row.revision) for row in (await connection.execute(_NEWEST)).all()}

    async def insert(
        self, connection: AsyncConnection, year: int, revision: int, source: str, days: Sequence[DayRow], now: datetime
    ) -> None:
        """Writes a revision; one that is there already stays as it is."""
        await connection.execute(
            _INSERT,
            {
                "year": year,
                "revision": revision,
                "source": source,
                "now": now,
                "days": [each.day for each in days],
                "kinds": [str(each.kind) for each in days],
                "notes": [each.note for each in days],
            },
        )
