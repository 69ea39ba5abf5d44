"""Sessions and what one signs in with, in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.names import id_of
from services.identity.core.session_ends import sessions
from services.identity.core.sessions import SignInSession
from services.identity.signin.rules import Authenticator, EnrollmentRow
from tongban.identity.v1 import sign_in_service_pb2 as pb

VERIFIER = Column("authenticators", "verifier")
SECRET = Column("enrollments", "secret")
USER_AGENT = Column("sessions", "user_agent")

authenticators = sa.Table(
    "authenticators",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("verifier", sa.LargeBinary, nullable=False),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("last_use_time"),
    *columns.amounts("used_step"),
    *columns.life(),
    sa.Index("authenticators_of_person", "person", "create_time", "id"),
    sa.Index("authenticators_in_use", "person", "kind", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="What people sign in with; a password is stored as argon2id, encrypted.",
)
of(authenticators)(Authenticator)

enrollments = sa.Table(
    "enrollments",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("ticket", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    columns.nothing_yet("secret"),
    columns.moment("expire_time", nullable=False),
    columns.moment("used_time"),
    columns.moment("create_time", nullable=False),
    sa.Index("enrollments_of_person", "person"),
    comment="Opened pages at which people set up how they sign in; known by SM3 of the secret in the address.",
)
of(enrollments)(EnrollmentRow)

sign_in_attempts = sa.Table(
    "sign_in_attempts",
    schema.METADATA,
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    columns.moment("last_time", nullable=False),
    sa.Index("sign_in_attempts_last", "last_time"),
    comment="Sign-ins that did not succeed, by a keyed digest of the account's name or of the address.",
)


@of(sign_in_attempts)
@dataclass(frozen=True, slots=True)
class Attempts:
    """How often in a row somebody tried, the attempt under way included, and when last."""

    key: bytes
    failures: int
    last_time: datetime


ADD_AUTHENTICATOR, UPDATE_AUTHENTICATOR = Addition(Authenticator), Update(Authenticator)
ADD_ENROLLMENT = Addition(EnrollmentRow)
ADD_SESSION, UPDATE_SESSION = Addition(SignInSession), Update(SignInSession)
_CREATED = {"create_time": Order(("create_time", "id"), (Path(("person",)),))}
LISTED_AUTHENTICATORS = FilteredList(
    Authenticator,
    pb.ListAuthenticatorsRequest,
    authenticators,
    {
        "kind": fields.choice("kind", pb.AuthenticatorKind),
        "state": fields.choice("state", pb.AuthenticatorState),
        "create_time": fields.moment("create_time"),
        "last_use_time": fields.moment("last_use_time", nullable=True),
    },
    _CREATED,
    "create_time desc",
)
_STATE = """
CASE WHEN state = 'ACTIVE' AND expire_time <= CAST(:now AS timestamptz) THEN 'EXPIRED' ELSE state END
""".strip()
LISTED_SESSIONS = FilteredList(
    SignInSession,
    pb.ListSessionsRequest,
    sessions,
    {
        "state": fields.choice(_STATE, pb.SessionState),
        "assurance": fields.number("assurance"),
        **{each: fields.moment(each) for each in ("auth_time", "expire_time", "create_time")},
        "finish_time": fields.moment("finish_time", nullable=True),
    },
    _CREATED,
    "create_time desc",
)
_AUTHENTICATOR = Query(Authenticator, "SELECT {columns} FROM authenticators WHERE id = CAST(:id AS uuid) FOR UPDATE")
_TAKE_CODE = Query(
    Authenticator,
    """UPDATE authenticators SET used_step = :step, last_use_time = CAST(:now AS timestamptz), version = version + 1
    WHERE id = CAST(:id AS uuid) AND state = 'ACTIVE' AND used_step < CAST(:step AS bigint) RETURNING {columns}""",
)
_IN_USE = Query(
    Authenticator,
    "SELECT {columns} FROM authenticators WHERE person = :person AND kind = :kind AND state = 'ACTIVE'",
)
_SESSION = Query(SignInSession, "SELECT {columns} FROM sessions WHERE id = CAST(:id AS uuid)")
_LOCK_SESSION = Query(SignInSession, "SELECT {columns} FROM sessions WHERE id = CAST(:id AS uuid) FOR UPDATE")
_BY_COOKIE = Query(SignInSession, "SELECT {columns} FROM sessions WHERE cookie = :cookie")
_BY_TICKET = Query(EnrollmentRow, "SELECT {columns} FROM enrollments WHERE ticket = :ticket")
_USE = Query(
    EnrollmentRow,
    """UPDATE enrollments SET used_time = CAST(:now AS timestamptz)
    WHERE ticket = :ticket AND used_time IS NULL AND expire_time > CAST(:now AS timestamptz) RETURNING {columns}""",
)
CLOSE_ENROLLMENTS = Query(
    EnrollmentRow,
    """UPDATE enrollments SET used_time = CAST(:now AS timestamptz)
    WHERE person = :person AND used_time IS NULL RETURNING {columns}""",
)
# Counted before it is judged: of many attempts at a time no more than one gets through where one may. What was counted goes
# by one for every `decay` seconds without an attempt; beyond `free` each has to wait, twice as long as the one before.
_LEFT = """greatest(0, a.failures - greatest(0, floor(extract(epoch FROM CAST(:now AS timestamptz) - a.last_time)
  / CAST(:decay AS double precision))))"""
_TRY = Query(
    Attempts,
    """INSERT INTO sign_in_attempts AS a (key, failures, last_time) VALUES (:key, 1, CAST(:now AS timestamptz))
    ON CONFLICT (key) DO UPDATE SET last_time = excluded.last_time, failures = {left} + 1
    WHERE {left} < CAST(:free AS integer) OR a.last_time + make_interval(secs =>
        least(CAST(:longest AS double precision),
          CAST(:first AS double precision) * power(2, least({left} - CAST(:free AS integer), 16))))
      <= CAST(:now AS timestamptz)
    RETURNING {columns}""".replace("{left}", _LEFT),
)
_GIVE_BACK = Query(
    Attempts, "UPDATE sign_in_attempts SET failures = greatest(0, failures - 1) WHERE key = :key RETURNING {columns}"
)
_FORGIVE = Query(Attempts, "DELETE FROM sign_in_attempts WHERE key = :key RETURNING {columns}")
FORGET_ATTEMPTS = Query(
    Attempts,
    """DELETE FROM sign_in_attempts WHERE key IN (
      SELECT key FROM sign_in_attempts WHERE last_time < CAST(:before AS timestamptz) LIMIT 1000 FOR UPDATE SKIP LOCKED
    ) RETURNING {columns}""",
)


async def counted(connection: DatabaseConnection, **values: object) -> Attempts | None:
    """Counts an attempt; None where it comes too soon and is not counted."""
    return await _TRY.first(connection, **values)


async def forgive(connection: DatabaseConnection, key: bytes) -> None:
    """Forgets what was counted under ``key``."""
    await _FORGIVE.first(connection, key=key)


async def give_back(connection: DatabaseConnection, key: bytes) -> None:
    """Takes one attempt back, which succeeded."""
    await _GIVE_BACK.first(connection, key=key)


async def authenticator(connection: DatabaseConnection, name: str, person: str) -> Authenticator:
    """Reads and locks something that ``person`` signs in with; raises NotFound, of another's too."""
    found = await _AUTHENTICATOR.first(connection, id=id_of(name))
    if found is None or found.person != person:
        raise not_found(name)
    return found


async def in_use(connection: DatabaseConnection, person: str, kind: str) -> Authenticator | None:
    """Reads what a person signs in with of a kind, or None."""
    return await _IN_USE.first(connection, person=person, kind=kind)


async def take_code(connection: DatabaseConnection, key: str, step: int, now: datetime) -> bool:
    """Uses a one-time code up, named by its number; says whether neither it nor a later one was used before."""
    return await _TAKE_CODE.first(connection, id=key, step=step, now=now) is not None


async def session(connection: DatabaseConnection, name: str, *, lock: bool = False) -> SignInSession:
    """Reads a session; raises NotFound."""
    found = await (_LOCK_SESSION if lock else _SESSION).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def session_by_cookie(connection: DatabaseConnection, cookie: bytes) -> SignInSession | None:
    """Reads the session of a browser, or None."""
    return await _BY_COOKIE.first(connection, cookie=cookie)


async def enrollment(connection: DatabaseConnection, ticket: bytes) -> EnrollmentRow | None:
    """Reads an opened page, or None."""
    return await _BY_TICKET.first(connection, ticket=ticket)


async def use_enrollment(connection: DatabaseConnection, ticket: bytes, now: datetime) -> EnrollmentRow | None:
    """Uses an opened page up; None where it was used or its time is over."""
    return await _USE.first(connection, ticket=ticket, now=now)
