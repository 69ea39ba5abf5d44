"""Authorization requests in PostgreSQL: pushed by their client (RFC 9126), or of a browser whose person is signing in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema

PUSHED_LASTS = timedelta(seconds=90)
"""For so long a pushed request can be referred to: the browser is on its way."""
ASKED_LASTS = timedelta(minutes=15)
"""For so long a person may take to sign in."""

authorization_requests = sa.Table(
    "authorization_requests",
    schema.METADATA,
    columns.record_id(),
    sa.Column("ticket", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("client", sa.Text, nullable=False),
    columns.json("parameters"),
    columns.nothing_yet("browser"),
    columns.text("person"),
    columns.moment("proven_time"),
    columns.nothing_yet("challenge"),
    columns.moment("challenge_time"),
    columns.identifier("device", nullable=True),
    columns.counted("client_suspensions"),
    columns.moment("expire_time", nullable=False),
    columns.moment("create_time", nullable=False),
    sa.Index("authorization_requests_expire", "expire_time"),
    comment="Authorization requests: pushed by their client (RFC 9126), or of a browser that is signing in.",
)
Parameters = dict[str, str]


class NotAsked(Exception):
    """What the browser brings is no request that could be answered, or is over: nobody can be told but the person."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


@of(authorization_requests)
@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks for.

    Attributes:
        ticket: SM3 of the secret by which it is referred to.
        client: the OAuth client_id.
        parameters: as they came.
        browser: SM3 of the cookie of the browser that it belongs to; empty as long as it was only pushed.
        person, proven_time: whose password was right, and when: who still has to show a one-time code.
        challenge, challenge_time: what a passkey has to sign, and since when; empty where nobody asked to use one, or one was tried.
        device: the id of the device at which the person wants to sign in; None where they do in this browser.
        client_suspensions: how often the client had been suspended when it asked.
    """

    id: str
    ticket: bytes
    client: str
    parameters: Parameters
    browser: bytes
    expire_time: datetime
    create_time: datetime
    person: str = ""
    proven_time: datetime | None = None
    challenge: bytes = b""
    challenge_time: datetime | None = None
    device: str | None = None
    client_suspensions: int = 0


ADD = Addition(AuthorizationRequest)
_FIND = Query(
    AuthorizationRequest,
    "SELECT {columns} FROM authorization_requests WHERE ticket = :ticket AND expire_time > CAST(:now AS timestamptz)",
)
_TAKE = Query(
    AuthorizationRequest,
    """DELETE FROM authorization_requests
    WHERE ticket = :ticket AND expire_time > CAST(:now AS timestamptz) RETURNING {columns}""",
)
_PROVE = Query(
    AuthorizationRequest,
    """UPDATE authorization_requests SET person = :person, proven_time = CAST(:now AS timestamptz)
    WHERE ticket = :ticket RETURNING {columns}""",
)
_CHALLENGE = Query(
    AuthorizationRequest,
    """UPDATE authorization_requests SET challenge = :challenge, challenge_time = CAST(:now AS timestamptz)
    WHERE ticket = :ticket RETURNING {columns}""",
)
_USE_CHALLENGE = Query(
    AuthorizationRequest,
    """UPDATE authorization_requests SET challenge = ''
    WHERE ticket = :ticket AND challenge = :challenge AND challenge <> '' AND challenge_time > CAST(:since AS timestamptz)
    RETURNING {columns}""",
)
_FORGET = Query(
    AuthorizationRequest,
    """DELETE FROM authorization_requests WHERE id IN (
      SELECT id FROM authorization_requests WHERE expire_time < CAST(:now AS timestamptz) LIMIT 100 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)


async def find(connection: DatabaseConnection, ticket: bytes, now: datetime) -> AuthorizationRequest | None:
    """Reads a request that is not over, or None."""
    return await _FIND.first(connection, ticket=ticket, now=now)


async def take(connection: DatabaseConnection, ticket: bytes, now: datetime) -> AuthorizationRequest | None:
    """Takes a request away, so that it is used once; None where it was used or is over."""
    return await _TAKE.first(connection, ticket=ticket, now=now)


async def prove(connection: DatabaseConnection, ticket: bytes, person: str, now: datetime) -> None:
    """Notes whose password was right in the browser of a request."""
    await _PROVE.first(connection, ticket=ticket, person=person, now=now)


async def challenge(connection: DatabaseConnection, ticket: bytes, asked: bytes, now: datetime) -> None:
    """Keeps what a passkey has to sign; what was kept before is no longer taken."""
    await _CHALLENGE.first(connection, ticket=ticket, challenge=asked, now=now)


async def use_challenge(connection: DatabaseConnection, ticket: bytes, asked: bytes, since: datetime) -> bool:
    """Uses up what a passkey has to sign; says whether it was kept after ``since``, and not used before."""
    return await _USE_CHALLENGE.first(connection, ticket=ticket, challenge=asked, since=since) is not None


async def forget(connection: DatabaseConnection, now: datetime) -> None:
    """Takes away some of those that are over; whoever adds one does."""
    await _FORGET.all(connection, now=now)
