"""Whom to ask what it withdrew, how far it has told, and what is forgotten with it."""

from collections.abc import Collection
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.db.query import Query
from services.identity.core.guest_homes import GuestHome
from services.identity.core.mandates import AssertedRight

_LIVING = Query(GuestHome, "SELECT {columns} FROM guest_homes WHERE guests_until > :now")
_TAKE = Query(
    GuestHome,
    """UPDATE guest_homes SET ask_time = CAST(:again AS timestamptz)
    WHERE region = :region AND ask_time <= CAST(:now AS timestamptz) RETURNING {columns}""",
)
_HEARD = Query(
    GuestHome,
    """UPDATE guest_homes SET cursor = :cursor, ask_time = CAST(:again AS timestamptz), misses = 0, silent_since = NULL
    WHERE region = :region RETURNING {columns}""",
)
_MISSED = Query(
    GuestHome,
    """UPDATE guest_homes SET misses = misses + 1, ask_time = CAST(:again AS timestamptz),
      silent_since = COALESCE(silent_since, CAST(:since AS timestamptz))
    WHERE region = :region RETURNING {columns}""",
)
_FORGET = Query(
    AssertedRight,
    "DELETE FROM asserted_rights WHERE region = :region AND transaction = ANY(CAST(:transactions AS text[])) RETURNING {columns}",
)


async def living(connection: DatabaseConnection, now: datetime) -> list[GuestHome]:
    """Reads the regions whose guests' tokens may live."""
    return await _LIVING.all(connection, now=now)


async def take(connection: DatabaseConnection, region: str, now: datetime, again: datetime) -> GuestHome | None:
    """Takes the turn of asking a region, so that nobody else does before ``again``; None where another has it."""
    return await _TAKE.first(connection, region=region, now=now, again=again)


async def heard(connection: DatabaseConnection, region: str, cursor: str, again: datetime) -> None:
    """Notes how far a region has told, and when it is asked again."""
    await _HEARD.first(connection, region=region, cursor=cursor, again=again)


async def missed(connection: DatabaseConnection, region: str, since: datetime, again: datetime) -> None:
    """Notes that a region could not be asked, and when it is asked again."""
    await _MISSED.first(connection, region=region, since=since, again=again)


async def forget_rights(connection: DatabaseConnection, region: str, transactions: Collection[str]) -> None:
    """Forgets rights to act that a region asserted, and that ended there."""
    if transactions:
        await _FORGET.all(connection, region=region, transactions=list(transactions))
