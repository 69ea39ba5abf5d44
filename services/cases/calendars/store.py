"""What is written and read of single years."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.civil.calendar import DayRow
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from services.cases.core.calendars import EDITION, DayOfYear, YearRevision, calendars


@of(calendars)
@dataclass(frozen=True, slots=True)
class KnownYear:
    """A year and its newest revision."""

    year: int
    revision: int


_KNOWN = Query(KnownYear, "SELECT year, max(revision) FROM calendars GROUP BY year ORDER BY year")
_YEAR = Query(
    YearRevision,
    "SELECT {columns} FROM calendars WHERE year = CAST(:year AS smallint) ORDER BY revision DESC LIMIT 1",
)
_DAYS = Query(
    DayOfYear,
    """
SELECT {columns} FROM calendar_days WHERE year = CAST(:year AS smallint) AND revision = CAST(:revision AS integer)
ORDER BY day
""",
)
_ADD = Query(
    KnownYear,
    """
WITH made AS (
  INSERT INTO calendars (year, revision, source, create_time)
  VALUES (CAST(:year AS smallint), CAST(:revision AS integer), :source, :now)
  ON CONFLICT DO NOTHING RETURNING year
)
INSERT INTO calendar_days (year, revision, day, kind, note)
SELECT CAST(:year AS smallint), CAST(:revision AS integer), d.day, d.kind, d.note
FROM unnest(CAST(:days AS date[]), CAST(:kinds AS text[]), CAST(:notes AS text[])) AS d (day, kind, note)
WHERE EXISTS (SELECT 1 FROM made)
""",
)
_LOCK = Query(KnownYear, "SELECT 0, 0 FROM pg_advisory_xact_lock(hashtextextended('calendars', 0))")


async def lock_years(connection: AsyncConnection) -> dict[int, int]:
    """Returns the newest revision of each year; keeps others from importing any until the transaction ends."""
    await _LOCK.first(connection)
    return {each.year: each.revision for each in await _KNOWN.all(connection)}


async def add(
    connection: AsyncConnection, year: int, revision: int, source: str, days: Sequence[DayRow], now: datetime
) -> None:
    """Writes a revision; one that is there already stays as it is."""
    await _ADD.first(
        connection,
        year=year,
        revision=revision,
        source=source,
        now=now,
        days=[each.day for each in days],
        kinds=[each.kind for each in days],
        notes=[each.note for each in days],
    )


async def edition(database: Database) -> tuple[int, list[int]]:
    """Reads the number of imports there have been, and the years that are there, in order."""
    async with database.read() as connection:
        years = [each.year for each in await _KNOWN.all(connection)]
        return (await EDITION.one(connection)).revision, years


async def year(database: Database, number: int) -> tuple[YearRevision, list[DayRow]]:
    """Reads the newest revision of a year and its days; raises NotFound."""
    async with database.read() as connection:
        found = await _YEAR.first(connection, year=number)
        if found is None:
            raise not_found(f"calendars/{number}")
        days = await _DAYS.all(connection, year=number, revision=found.revision)
    return found, [each.row() for each in days]
