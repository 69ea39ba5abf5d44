"""Clients that must still be told that a sign-in ended (OpenID Connect Back-Channel Logout 1.0): written with the end itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema
from services.identity.core.sign_in_grants import SignInGrant

logout_notices = sa.Table(
    "logout_notices",
    schema.METADATA,
    columns.record_id(),
    *columns.given("client", "person"),
    columns.identifier("session"),
    columns.counted("attempts"),
    columns.moment("attempt_time", nullable=False),
    columns.moment("lease_time"),
    columns.moment("create_time", nullable=False),
    sa.Index("logout_notices_due", "attempt_time"),
    sa.Index("logout_notices_of_client", "client", "lease_time"),
    comment="Clients that must still be told that a sign-in ended (OpenID Connect Back-Channel Logout).",
)


@of(logout_notices)
@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """That a client is told that a person is not signed in any more.

    Attributes:
        client: the OAuth client_id.
        session: the id of the session in which they were.
        attempts: how often it was tried.
        attempt_time: when it is tried, or tried again.
        lease_time: until when somebody who took it is at it.
    """

    id: str
    client: str
    person: str
    session: str
    attempts: int
    attempt_time: datetime
    lease_time: datetime | None
    create_time: datetime


_TELL = """
INSERT INTO logout_notices (id, client, person, session, attempt_time, create_time)
SELECT gen_random_uuid(), given.client, given.person, given.session, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
FROM (SELECT DISTINCT client, person, session FROM sign_in_grants
  WHERE code_use_time IS NOT NULL AND {which}) AS given
JOIN clients ON clients.id = given.client AND clients.backchannel_logout_uri <> ''
RETURNING {columns}
"""
"""Who never fetched a token knows of no session."""
_OF_SESSION = Query(LogoutNotice, _TELL.replace("{which}", "session = CAST(:session AS uuid)"))
_OF_GRANTS = Query(LogoutNotice, _TELL.replace("{which}", "id = ANY(CAST(:grants AS uuid[]))"))
_OF_CLIENT = Query(
    LogoutNotice,
    _TELL.replace(
        "{which}",
        """client = :client AND revoke_time IS NULL AND session IN (
          SELECT id FROM sessions WHERE state = 'ACTIVE' AND expire_time > CAST(:now AS timestamptz))""",
    ),
)


async def of_session(connection: DatabaseConnection, session: str, now: datetime) -> None:
    """Has all be told to whom the person signed in in a session, named by its id."""
    await _OF_SESSION.all(connection, session=session, now=now)


async def of_grants(connection: DatabaseConnection, grants: Sequence[SignInGrant], now: datetime) -> None:
    """Has the clients of these sign-ins be told."""
    if grants:
        await _OF_GRANTS.all(connection, grants=[each.id for each in grants], now=now)


async def of_client(connection: DatabaseConnection, client: str, now: datetime) -> None:
    """Has a client, named by its client_id, sign out all who are signed in to it: it is shut out."""
    await _OF_CLIENT.all(connection, client=client, now=now)
