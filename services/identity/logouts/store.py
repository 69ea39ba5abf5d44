"""Who is to be told next, in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core.clients import clients
from services.identity.core.logout_notices import LogoutNotice

# One at a time of each client: one that hangs holds up its own, and not those of others.
_DUE = Query(
    LogoutNotice,
    """UPDATE logout_notices SET attempts = attempts + 1, lease_time = CAST(:now AS timestamptz) + CAST(:lease AS interval)
    WHERE id = (SELECT id FROM logout_notices AS due
      WHERE attempt_time <= CAST(:now AS timestamptz) AND (lease_time IS NULL OR lease_time <= CAST(:now AS timestamptz))
        AND NOT EXISTS (SELECT FROM logout_notices AS other
          WHERE other.client = due.client AND other.lease_time > CAST(:now AS timestamptz))
      ORDER BY attempt_time LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {columns}""",
)
_AGAIN = Query(
    LogoutNotice,
    """UPDATE logout_notices SET attempt_time = CAST(:attempt_time AS timestamptz), lease_time = NULL
    WHERE id = CAST(:id AS uuid) RETURNING {columns}""",
)
_DONE = Query(LogoutNotice, "DELETE FROM logout_notices WHERE id = CAST(:id AS uuid) RETURNING {columns}")


@of(clients)
@dataclass(frozen=True, slots=True)
class ToldClient:
    """Where a client is told."""

    id: str
    backchannel_logout_uri: str


_CLIENT = Query(ToldClient, "SELECT {columns} FROM clients WHERE id = :id")


async def due(connection: DatabaseConnection, now: datetime, lease: timedelta) -> LogoutNotice | None:
    """Takes what is due next, for as long as the lease; None where nothing is."""
    return await _DUE.first(connection, now=now, lease=lease)


async def again(connection: DatabaseConnection, identifier: str, attempt_time: datetime) -> None:
    """Has one be tried again."""
    await _AGAIN.first(connection, id=identifier, attempt_time=attempt_time)


async def done(connection: DatabaseConnection, identifier: str) -> None:
    """Takes one away: the client was told, or is not told any more."""
    await _DONE.first(connection, id=identifier)


async def uri_of(connection: DatabaseConnection, client: str) -> str:
    """Reads where a client is told now; an empty string where it is not any more."""
    found = await _CLIENT.first(connection, id=client)
    return found.backchannel_logout_uri if found else ""
