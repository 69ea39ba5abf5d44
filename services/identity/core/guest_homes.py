"""The regions whose guests hold tokens of this one, and what each was last heard to say of them (decision 0091)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema
from services.identity.core.claims import LEEWAY_SECONDS

_LONGER = timedelta(minutes=1)
"""So much longer a region is asked than its guests' tokens live, so that not each of them writes the row anew."""

guest_homes = sa.Table(
    "guest_homes",
    schema.METADATA,
    sa.Column("region", sa.Text, primary_key=True),
    columns.moment("guests_until", nullable=False),
    columns.moment("ask_time", nullable=False),
    columns.text("cursor"),
    columns.counted("misses"),
    columns.moment("silent_since"),
    comment="Regions whose guests hold tokens of this one: how far each has told what it withdrew.",
)


@of(guest_homes)
@dataclass(frozen=True, slots=True)
class GuestHome:
    """A region whose guests hold tokens of this one.

    Attributes:
        region: its id.
        guests_until: until when one of those tokens may live.
        ask_time: when it is asked next.
        cursor: how far it has told what it withdrew; empty where it never did.
        misses: how often in a row it could not be asked.
        silent_since: since when it could not; None while it answers.
    """

    region: str
    guests_until: datetime
    ask_time: datetime
    cursor: str
    misses: int
    silent_since: datetime | None


_NOTE = Query(
    GuestHome,
    """INSERT INTO guest_homes (region, guests_until, ask_time)
    VALUES (:region, CAST(:until AS timestamptz), CAST(:now AS timestamptz))
    ON CONFLICT (region) DO UPDATE SET
      guests_until = excluded.guests_until,
      ask_time = CASE WHEN guest_homes.guests_until < excluded.ask_time THEN excluded.ask_time ELSE guest_homes.ask_time END,
      misses = CASE WHEN guest_homes.guests_until < excluded.ask_time THEN 0 ELSE guest_homes.misses END,
      silent_since = CASE WHEN guest_homes.guests_until < excluded.ask_time THEN NULL ELSE guest_homes.silent_since END
    WHERE guest_homes.guests_until < CAST(:least AS timestamptz) RETURNING {columns}""",
)


async def note_guest(connection: DatabaseConnection, region: str, exp: int, now: datetime) -> None:
    """Notes that a guest of ``region`` gets a token that ends at ``exp``, in seconds since the epoch.

    A region that had no guests meanwhile is asked at once, however often it was away before.
    """
    least = datetime.fromtimestamp(exp + LEEWAY_SECONDS, UTC)
    await _NOTE.first(connection, region=region, until=least + _LONGER, least=least, now=now)
