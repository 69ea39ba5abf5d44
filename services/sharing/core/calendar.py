"""Sharing's copy of the region's one calendar, by which it counts whether or not ``cases`` answers.

Deadlines are never stored here, only what they are derived from, so a year that comes later mends them all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.civil import notices
from libs.civil.calendar import Calendar, CalendarBasis, DayKind, DayRow, days_of_year
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.timed_cache import TimedCache
from services.sharing.core import schema
from services.sharing.integrations.calendar import ToldYear

_KEEP_SECONDS = 5.0

calendar_years = sa.Table(
    "calendar_years",
    schema.METADATA,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("edition", sa.BigInteger, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("kinds", ARRAY(sa.Text), nullable=False),
    comment="A copy of the calendar of cases: the kind of each day of a year, in order.",
)


@of(calendar_years)
@dataclass(frozen=True, slots=True)
class CopiedYear:
    """A year of the copy, and the edition that it came with."""

    year: int
    edition: int
    basis: CalendarBasis
    kinds: tuple[DayKind, ...]

    def rows(self) -> Iterable[DayRow]:
        """Returns its days as they are counted."""
        return map(DayRow, days_of_year(self.year), self.kinds)


@of(calendar_years)
@dataclass(frozen=True, slots=True)
class CopiedEdition:
    """The edition of the copy; 0 where there is none."""

    edition: int


_EDITION = Query(CopiedEdition, "SELECT coalesce(max(edition), 0) FROM calendar_years")
_YEARS = Query(CopiedYear, "SELECT {columns} FROM calendar_years ORDER BY year")
_TAKE = Query(
    CopiedYear,
    """
INSERT INTO calendar_years (year, edition, basis, kinds)
VALUES (CAST(:year AS smallint), CAST(:edition AS bigint), :basis, CAST(:kinds AS text[]))
ON CONFLICT (year) DO UPDATE SET edition = EXCLUDED.edition, basis = EXCLUDED.basis, kinds = EXCLUDED.kinds
""",
)

_DROP = Query(CopiedYear, "DELETE FROM calendar_years WHERE year <> ALL(CAST(:years AS smallint[]))")


@cache
def initial_calendar() -> Calendar:
    """Returns the calendar that every region starts with."""
    return Calendar(notices.all_rows())


class CalendarCopy:
    """The copy as it is counted by."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: TimedCache[Calendar] = TimedCache(_KEEP_SECONDS)
        self._last = initial_calendar()

    async def current(self) -> Calendar:
        """Returns the calendar, at most five seconds old; before anything came, what every region starts with."""
        return await self._kept.get("", self._read)

    async def _read(self) -> Calendar:
        async with self._database.read() as connection:
            if (edition := (await _EDITION.one(connection)).edition) != self._last.edition:
                self._last = _counted(edition, await _YEARS.all(connection))
        return self._last

    async def edition(self) -> int:
        """Returns the edition that is there; 0 before anything came."""
        async with self._database.read() as connection:
            return (await _EDITION.one(connection)).edition

    async def take(self, edition: int, years: Iterable[ToldYear]) -> None:
        """Takes over the years of an edition, and no other: where ``cases`` was put back from an older copy, so is this.

        An answer that comes late may put back what a newer one brought; the next comparison sees that and mends it.
        """
        told = list(years)
        async with self._database.transaction() as connection:
            await _DROP.first(connection, years=[each.year for each in told])
            for each in told:
                await _take(connection, edition, each)
        self._kept.forget_all()


async def _take(connection: DatabaseConnection, edition: int, told: ToldYear) -> None:
    await _TAKE.first(connection, year=told.year, edition=edition, basis=told.basis, kinds=list(told.kinds))


def _counted(edition: int, years: Sequence[CopiedYear]) -> Calendar:
    provisional = [each.year for each in years if each.basis is CalendarBasis.PROVISIONAL]
    return Calendar((row for year in years for row in year.rows()), edition, provisional)
