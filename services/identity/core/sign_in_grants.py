"""What a client got when a person signed in to it: the code, once; then refresh tokens, one after another.

One row a sign-in to a client. The code and the tokens stand nowhere; what is shown is compared with a digest, or made anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from services.identity.core import schema
from services.identity.core.client_rules import Client

_TOKENS_LIVE = timedelta(hours=1)
"""No access token of a sign-in is about for longer after the last one was given."""
ADDRESS, DEVICE_NAME = Column("sign_in_grants", "address"), Column("sign_in_grants", "device_name")

sign_in_grants = sa.Table(
    "sign_in_grants",
    schema.METADATA,
    columns.record_id(),
    sa.Column("client", sa.Text, nullable=False),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("session", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("challenge", sa.Text, nullable=False),
    sa.Column("code", sa.LargeBinary, nullable=False, unique=True),
    columns.moment("code_expire_time", nullable=False),
    columns.moment("code_use_time"),
    columns.texts("methods"),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    columns.moment("auth_time", nullable=False),
    columns.counted("generation"),
    columns.moment("rotate_time"),
    columns.moment("revoke_time"),
    columns.text("revoke_reason"),
    columns.nothing_yet("address"),
    columns.nothing_yet("device_name"),
    columns.moment("expire_time"),
    columns.text("bound_key"),
    columns.counted("client_suspensions"),
    *columns.life(),
    sa.Index("sign_in_grants_of_person", "person", "client"),
    sa.Index("sign_in_grants_of_session", "session"),
    sa.Index("sign_in_grants_at_client", "client", postgresql_where=sa.text("revoke_time IS NULL")),
    sa.Index("sign_in_grants_listed", "person", "create_time", "id"),
    comment="Sign-ins to clients; the code is stored as SM3, of refresh tokens only how many there were.",
)


class GrantEnd(StrEnum):
    """Why a sign-in to a client ended (SignInGrantEnd of the contract)."""

    WITHDRAWN = "WITHDRAWN"
    SESSION_ENDED = "SESSION_ENDED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    RETURNED = "RETURNED"
    """By the client itself (RFC 7009)."""
    COPIED = "COPIED"
    """Its code or a refresh token came twice."""
    CLIENT_SUSPENDED = "CLIENT_SUSPENDED"


@of(sign_in_grants)
@dataclass(frozen=True, slots=True)
class SignInGrant:
    """A sign-in of a person to a client.

    Attributes:
        client: the OAuth client_id.
        session: the id of the session in which it was.
        scope: what was granted.
        challenge: the code challenge (RFC 7636, S256).
        code: SM3 of the code.
        methods, assurance, auth_time: how and when the person signed in, as it was then.
        generation: how many refresh tokens were given; the last one counts.
        rotate_time: when the last one was given.
        revoke_time, revoke_reason: when and why nothing is given any more.
        address, device_name: where the browser was in which the person agreed, and the device at which they signed in, encrypted.
        expire_time: until when the client can go on at most; None of those that were before it was kept.
        bound_key: the key for which the code was asked (`dpop_jkt`), or the key or certificate to which its first tokens are bound
            (`libs.access.bound_keys`); empty where they are bearers'.
        client_suspensions: how often the client had been suspended when it was asked for; once more, and it is over.
    """

    id: str
    client: str
    person: str
    session: str
    scope: str
    redirect_uri: str
    nonce: str
    challenge: str
    code: bytes
    code_expire_time: datetime
    methods: tuple[str, ...]
    assurance: int
    auth_time: datetime
    create_time: datetime
    update_time: datetime
    code_use_time: datetime | None = None
    generation: int = 0
    rotate_time: datetime | None = None
    revoke_time: datetime | None = None
    revoke_reason: str = ""
    address: bytes = b""
    device_name: bytes = b""
    expire_time: datetime | None = None
    bound_key: str = ""
    client_suspensions: int = 0
    version: int = 1

    @property
    def name(self) -> str:
        """What records call it."""
        return f"signInGrants/{self.id}"


@of(sign_in_grants)
@dataclass(frozen=True, slots=True)
class EndedGrant:
    """A sign-in of which it was noted that it ended."""

    id: str


ADD, UPDATE = Addition(SignInGrant), Update(SignInGrant)
_BY_CODE = Query(SignInGrant, "SELECT {columns} FROM sign_in_grants WHERE code = :code FOR UPDATE")
_BY_ID = Query(SignInGrant, "SELECT {columns} FROM sign_in_grants WHERE id = CAST(:id AS uuid)")
_LOCK = Query(SignInGrant, "SELECT {columns} FROM sign_in_grants WHERE id = CAST(:id AS uuid) FOR UPDATE")
_OF_SESSIONS = Query(
    SignInGrant,
    "SELECT {columns} FROM sign_in_grants WHERE session = ANY(CAST(:sessions AS uuid[])) ORDER BY create_time, id",
)
_AGREED = Query(
    SignInGrant,
    """SELECT {columns} FROM sign_in_grants
    WHERE person = :person AND client = :client AND revoke_time IS NULL AND client_suspensions = :suspensions
      AND NOT EXISTS (SELECT FROM sessions WHERE sessions.id = sign_in_grants.session AND sessions.state = 'ENDED')
    ORDER BY create_time DESC LIMIT 1""",
)
_END = """
UPDATE sign_in_grants SET revoke_time = CAST(:now AS timestamptz), revoke_reason = :why, update_time = CAST(:now AS timestamptz),
  version = version + 1
WHERE id IN (SELECT id FROM sign_in_grants WHERE revoke_time IS NULL AND {which} ORDER BY id FOR UPDATE)
RETURNING {columns}
"""
_SUSPENDED = Query(
    EndedGrant,
    """UPDATE sign_in_grants SET revoke_time = CAST(:now AS timestamptz), revoke_reason = :why,
      update_time = CAST(:now AS timestamptz), version = version + 1
    WHERE id IN (
      SELECT given.id FROM clients JOIN sign_in_grants AS given
        ON given.client = clients.id AND given.revoke_time IS NULL AND given.client_suspensions < clients.suspensions
      WHERE clients.suspensions > 0 AND CAST(:client AS text) IN ('', clients.id)
      LIMIT 500 FOR UPDATE OF given SKIP LOCKED)
    RETURNING {columns}""",
)
_IN_SESSION = Query(SignInGrant, _END.replace("{which}", "session = CAST(:session AS uuid)"))
_OF_PERSON = Query(SignInGrant, _END.replace("{which}", "person = :person"))
_AT_CLIENT = Query(SignInGrant, _END.replace("{which}", "person = :person AND client = :client"))


async def by_code(connection: DatabaseConnection, code: bytes) -> SignInGrant | None:
    """Reads and locks the grant of a code, or None."""
    return await _BY_CODE.first(connection, code=code)


async def grant(connection: DatabaseConnection, identifier: str, *, lock: bool = False) -> SignInGrant | None:
    """Reads a grant, locked for change if wished, or None."""
    return await (_LOCK if lock else _BY_ID).first(connection, id=identifier)


async def agreed_before(connection: DatabaseConnection, person: str, client: Client) -> SignInGrant | None:
    """Reads the last grant of a person to a client that was taken back neither by itself, its session nor a suspension, or None."""
    return await _AGREED.first(connection, person=person, client=client.id, suspensions=client.suspensions)


async def note_suspended(connection: DatabaseConnection, now: datetime, client: str = "") -> int:
    """Notes of some sign-ins that their client's suspension ended them, of one client where it is named; returns of how many.

    They are over without it: it is what people are shown.
    """
    return len(await _SUSPENDED.all(connection, now=now, client=client, why=GrantEnd.CLIENT_SUSPENDED))


async def end_in_session(connection: DatabaseConnection, session: str, why: GrantEnd, now: datetime) -> None:
    """Ends the sign-ins in a session, named by its id."""
    await _IN_SESSION.all(connection, session=session, why=why, now=now)


async def end_of_person(connection: DatabaseConnection, person: str, why: GrantEnd, now: datetime) -> list[SignInGrant]:
    """Ends all sign-ins of a person; returns those that stood."""
    return await _OF_PERSON.all(connection, person=person, why=why, now=now)


async def end_at_client(
    connection: DatabaseConnection, person: str, client: str, why: GrantEnd, now: datetime
) -> list[SignInGrant]:
    """Ends all sign-ins of a person to a client; returns those that stood."""
    return await _AT_CLIENT.all(connection, person=person, client=client, why=why, now=now)


def with_living_tokens(ended: Iterable[SignInGrant], now: datetime) -> list[str]:
    """Returns the names of those of which access tokens may still be about, or what was made of them by an exchange."""
    return [each.name for each in ended if each.rotate_time is not None and each.rotate_time > now - _TOKENS_LIVE]


async def clients_of(connection: DatabaseConnection, sessions: list[str]) -> dict[str, list[str]]:
    """Returns the names of the clients that were signed in to, by the id of the session."""
    found: dict[str, list[str]] = {}
    for each in await _OF_SESSIONS.all(connection, sessions=sessions):
        name, named = f"clients/{each.client}", found.setdefault(each.session, [])
        if name not in named:
            named.append(name)
    return found
