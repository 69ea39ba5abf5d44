"""What is written and read of single years."""

from collections.abc import Sequence

from libs.civil.calendar import DayRow
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query
from libs.errors import not_found
from services.cases.core.calendars import EDITION, NEWEST, CalendarEdition, DayOfYear, NewestRevision, YearRevision

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
    CalendarEdition,
    """
WITH made AS (
  INSERT INTO calendars (year, revision, basis, source, create_time)
  VALUES (CAST(:year AS smallint), CAST(:revision AS integer), :basis, :source, :now)
)
INSERT INTO calendar_days (year, revision, day, kind, note)
SELECT CAST(:year AS smallint), CAST(:revision AS integer), d.day, d.kind, d.note
FROM unnest(CAST(:days AS date[]), CAST(:kinds AS text[]), CAST(:notes AS text[])) AS d (day, kind, note)
""",
)
_LOCK = Query(CalendarEdition, "SELECT 0 FROM pg_advisory_xact_lock(hashtextextended('calendars', 0))")


async def lock_years(connection: DatabaseConnection) -> dict[int, NewestRevision]:
    """Returns the newest revision of each year; keeps others from importing any until the transaction ends."""
    await _LOCK.first(connection)
    return {each.year: each for each in await NEWEST.all(connection)}


async def add(connection: DatabaseConnection, made: YearRevision, days: Sequence[DayRow]) -> None:
    """Writes a revision."""
    await _ADD.first(
        connection,
        year=made.year,
        revision=made.revision,
        basis=made.basis,
        source=made.source,
        now=made.create_time,
        days=[each.day for each in days],
        kinds=[each.kind for each in days],
        notes=[each.note for each in days],
    )


async def edition(database: Database) -> tuple[int, list[int]]:
    """Reads the number of imports there have been, and the years that are there, in order."""
    async with database.read() as connection:
        years = [each.year for each in await NEWEST.all(connection)]
        return (await EDITION.one(connection)).revision, years


async def year(database: Database, number: int) -> tuple[YearRevision, list[DayRow]]:
    """Reads the newest revision of a year and its days; raises NotFound."""
    async with database.read() as connection:
        found = await _YEAR.first(connection, year=number)
        if found is None:
            raise not_found(f"calendars/{number}")
        return found, await days_of(connection, number, found.revision)


async def days_of(connection: DatabaseConnection, year: int, revision: int) -> list[DayRow]:
    """Reads the days of a revision, in order."""
    return [each.row() for each in await _DAYS.all(connection, year=year, revision=revision)]
