"""Sessions and what one signs in with, in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, joined, of
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
DISPLAY_NAME = Column("authenticators", "display_name")
USER_AGENT = Column("sessions", "user_agent")

_IS_KEY = "state = 'ACTIVE' AND kind IN ('PASSKEY', 'CERTIFICATE')"

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
    columns.nothing_yet("credential"),
    *columns.amounts("sign_count"),
    columns.nothing_yet("display_name"),
    columns.moment("expire_time"),
    *columns.life(),
    sa.Index("authenticators_of_person", "person", "create_time", "id"),
    sa.Index(
        "authenticators_only_one",
        "person",
        "kind",
        unique=True,
        postgresql_where=sa.text("state = 'ACTIVE' AND kind <> 'PASSKEY'"),
    ),
    sa.Index("authenticators_by_credential", "kind", "credential", unique=True, postgresql_where=sa.text(_IS_KEY)),
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


@of(
    joined(
        person=authenticators.c.person,
        authenticator=sa.Column(type_=sa.Uuid(as_uuid=False), nullable=True),
        verifier=sa.Column(type_=sa.LargeBinary, nullable=True),
        assurance=sa.Column(type_=sa.SmallInteger, nullable=True),
    )
)
@dataclass(frozen=True, slots=True)
class Login:
    """Whose document somebody typed the number of, and the password that is set there: its id, what it is checked by, its level."""

    person: str
    authenticator: str | None
    verifier: bytes | None
    assurance: int | None


@of(joined(used=sa.Column(type_=sa.Boolean, nullable=False), codes=sa.Column(type_=sa.Boolean, nullable=False)))
@dataclass(frozen=True, slots=True)
class Proved:
    """Whether a password that was right is still in use, and whether one-time codes are asked for behind it."""

    used: bool
    codes: bool


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
        "expire_time": fields.moment("expire_time", nullable=True),
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
_BY_CREDENTIAL = Query(
    Authenticator,
    f"SELECT {{columns}} FROM authenticators WHERE kind = :kind AND credential = :credential AND {_IS_KEY}",  # noqa: S608 - a text of our own
)
_PASSKEYS_OF = Query(
    Authenticator,
    "SELECT {columns} FROM authenticators WHERE person = :person AND kind = 'PASSKEY' AND state = 'ACTIVE'",
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
  / CAST(:{of}_decay AS double precision))))"""
_COUNT = """INSERT INTO sign_in_attempts AS a (key, failures, last_time)
    SELECT CAST(:{of}_key AS bytea), 1, CAST(:now AS timestamptz) {where}
    ON CONFLICT (key) DO UPDATE SET last_time = excluded.last_time, failures = {left} + 1
    WHERE {left} < CAST(:{of}_free AS integer) OR a.last_time + make_interval(secs =>
        least(CAST(:{of}_longest AS double precision),
          CAST(:{of}_first AS double precision) * power(2, least({left} - CAST(:{of}_free AS integer), 16))))
      <= CAST(:now AS timestamptz)
    RETURNING {columns}"""


def _count(of: str, where: str = "") -> str:
    """Returns the text that counts an attempt ``of`` something, by parameters of its own, under a condition."""
    return _COUNT.replace("{left}", _LEFT).replace("{of}", of).replace("{where}", where)


_TRY = Query(Attempts, _count("one"))
# The account first, in any statement that writes both: two that wait for one another are never there.
_TRY_BOTH = Query(
    Attempts,
    f"""WITH account AS ({_count("account")}), address AS ({_count("address", "WHERE EXISTS (SELECT FROM account)")})
    SELECT {{columns}} FROM address""",  # noqa: S608 - texts of our own
)
_LOGIN = Query(
    Login,
    """SELECT {columns} FROM (
      SELECT 'persons/' || p.id AS person, a.id AS authenticator, a.verifier, a.assurance
      FROM unnest(CAST(:indexes AS bytea[])) WITH ORDINALITY AS asked (index, place)
      CROSS JOIN LATERAL (
        SELECT id FROM persons WHERE state = 'ACTIVE' AND document_index = asked.index
        UNION ALL
        SELECT s.id FROM further_documents AS f JOIN persons AS s ON s.id = f.person AND s.state = 'ACTIVE'
        WHERE f.document_index = asked.index AND f.held AND f.verify_time IS NOT NULL
      ) AS p
      LEFT JOIN authenticators AS a ON a.person = 'persons/' || p.id AND a.kind = 'PASSWORD' AND a.state = 'ACTIVE'
      ORDER BY asked.place DESC LIMIT 1
    ) AS found""",
)
# What follows a right password, in one round trip: what was counted is forgotten for the account and given back for the address.
_PROVED = Query(
    Proved,
    """WITH forgiven AS (
      DELETE FROM sign_in_attempts WHERE key = CAST(:account AS bytea) RETURNING key
    ), given AS (
      UPDATE sign_in_attempts SET failures = greatest(0, failures - 1)
      WHERE key = CAST(:address AS bytea) AND (SELECT count(*) FROM forgiven) >= 0 RETURNING key
    ), used AS (
      UPDATE authenticators SET last_use_time = CAST(:now AS timestamptz), version = version + 1,
        verifier = coalesce(CAST(:fresh AS bytea), verifier)
      WHERE id = CAST(:id AS uuid) AND state = 'ACTIVE' RETURNING id
    )
    SELECT {columns} FROM (
      SELECT EXISTS (SELECT FROM used) AS used, EXISTS (
        SELECT FROM authenticators WHERE person = :person AND kind = 'ONE_TIME_CODE' AND state = 'ACTIVE') AS codes
    ) AS found""",
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


async def counted(connection: DatabaseConnection, **values: object) -> bool:
    """Counts an attempt under one key; False where it comes too soon and is not counted."""
    return await _TRY.first(connection, **values) is not None


async def both_counted(connection: DatabaseConnection, **values: object) -> bool:
    """Counts an attempt at a password for its account, and where that may be judged for its address; False where either comes too soon."""
    return await _TRY_BOTH.first(connection, **values) is not None


async def forgive(connection: DatabaseConnection, key: bytes) -> None:
    """Forgets what was counted under ``key``."""
    await _FORGIVE.first(connection, key=key)


async def give_back(connection: DatabaseConnection, key: bytes) -> None:
    """Takes one attempt back, which succeeded."""
    await _GIVE_BACK.first(connection, key=key)


async def login(connection: DatabaseConnection, indexes: Sequence[bytes]) -> Login | None:
    """Finds the living account that has one of the documents with these blind indexes, and its password; None where there is none."""
    return await _LOGIN.first(connection, indexes=indexes)


async def proved(connection: DatabaseConnection, **values: object) -> Proved:
    """Does what follows a right password."""
    return await _PROVED.one(connection, **values)


async def authenticator(connection: DatabaseConnection, name: str, person: str) -> Authenticator:
    """Reads and locks something that ``person`` signs in with; raises NotFound, of another's too."""
    found = await _AUTHENTICATOR.first(connection, id=id_of(name))
    if found is None or found.person != person:
        raise not_found(name)
    return found


async def in_use(connection: DatabaseConnection, person: str, kind: str) -> Authenticator | None:
    """Reads what a person signs in with of a kind, or None."""
    return await _IN_USE.first(connection, person=person, kind=kind)


async def key_in_use(connection: DatabaseConnection, kind: str, credential: bytes) -> Authenticator | None:
    """Reads a passkey or a certificate that is in use by the digest by which it is known, or None."""
    return await _BY_CREDENTIAL.first(connection, kind=kind, credential=credential)


async def passkeys_of(connection: DatabaseConnection, person: str) -> list[Authenticator]:
    """Reads the passkeys of a person that are in use."""
    return await _PASSKEYS_OF.all(connection, person=person)


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
