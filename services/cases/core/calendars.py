"""The working-day calendar in PostgreSQL, and the newest revisions in memory."""

import time
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.civil.calendar import Calendar, CalendarBasis, DayKind, DayRow
from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.db.schema import EVIDENCE
from services.cases.core import schema

_KEEP_SECONDS = 5.0

calendars = sa.Table(
    "calendars",
    schema.METADATA,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    *columns.given("basis", "source"),
    columns.moment("create_time", nullable=False),
    info=EVIDENCE,
    comment="Revisions of the working-day calendar; the newest of each year holds.",
)

calendar_days = sa.Table(
    "calendar_days",
    schema.METADATA,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, primary_key=True),
    *columns.given("kind", "note"),
    info=EVIDENCE,
    comment="The kind of every day of every revision.",
)


@of(calendars)
@dataclass(frozen=True, slots=True)
class YearRevision:
    """A revision of a year."""

    year: int
    revision: int
    basis: CalendarBasis
    source: str
    create_time: datetime


@of(calendars)
@dataclass(frozen=True, slots=True)
class NewestRevision:
    """The newest revision of a year, which holds."""

    year: int
    revision: int
    basis: CalendarBasis


@of(calendars)
@dataclass(frozen=True, slots=True)
class CalendarEdition:
    """How many revisions there have been: a number that grows with every import."""

    revision: int


@of(calendar_days)
@dataclass(frozen=True, slots=True)
class DayOfYear:
    """A day of a revision."""

    day: date
    kind: DayKind
    note: str

    def row(self) -> DayRow:
        """Returns it as the calendar counts it."""
        return DayRow(self.day, self.kind, self.note)


EDITION = Query(CalendarEdition, "SELECT CAST(count(*) AS integer) FROM calendars")
NEWEST = Query(NewestRevision, "SELECT DISTINCT ON (year) {columns} FROM calendars ORDER BY year, revision DESC")
_DAYS = Query(
    DayOfYear,
    """
SELECT {columns} FROM calendar_days JOIN
  (SELECT year, max(revision) AS revision FROM calendars GROUP BY year) AS newest USING (year, revision) ORDER BY day
""",
)


class CalendarStore:
    """The calendar as it is counted by."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._calendar: Calendar | None = None
        self._until = 0.0

    async def current(self) -> Calendar:
        """Returns the calendar of the newest revisions, at most five seconds old; a region is set up with what is shipped."""
        if self._calendar is None or self._until <= time.monotonic():
            await self._refresh()
        if self._calendar is None:
            raise RuntimeError("no calendar stands: the service was not set up")
        return self._calendar

    async def _refresh(self) -> None:
        async with self._database.read() as connection:
            edition = (await EDITION.one(connection)).revision
            if edition and (self._calendar is None or edition != self._calendar.edition):
                newest = await NEWEST.all(connection)
                provisional = [each.year for each in newest if each.basis is CalendarBasis.PROVISIONAL]
                self._calendar = Calendar((each.row() for each in await _DAYS.all(connection)), edition, provisional)
        self._until = time.monotonic() + _KEEP_SECONDS

    def forget(self) -> None:
        """Reads anew at the next use, after an import made here."""
        self._until = 0.0
