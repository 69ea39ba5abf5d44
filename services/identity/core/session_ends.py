"""Sessions in PostgreSQL, and what their end writes: the sign-ins in them end, and the clients are told (Back-Channel Logout)."""

import sqlalchemy as sa

from libs.db import columns
from libs.db.query import Query, Update, of
from libs.db.uow import Transaction
from services.identity.core import logout_notices, schema, sign_in_grants
from services.identity.core.parts import Parts
from services.identity.core.sessions import SessionState, SignInSession
from services.identity.core.sign_in_grants import GrantEnd
from tongban.identity.v1 import events_pb2 as events

sessions = sa.Table(
    "sessions",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Text, nullable=False),
    sa.Column("cookie", sa.LargeBinary, nullable=False, unique=True),
    columns.texts("methods"),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    sa.Column("user_agent", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("auth_time", nullable=False),
    columns.moment("expire_time", nullable=False),
    columns.moment("finish_time"),
    *columns.life(),
    sa.Index("sessions_of_person", "person", "create_time", "id"),
    comment="Browsers in which people are signed in; known by SM3 of the cookie.",
)
of(sessions)(SignInSession)

_UPDATE = Update(SignInSession)
_OPEN = Query(
    SignInSession,
    """SELECT {columns} FROM sessions WHERE person = :person AND state = 'ACTIVE'
      AND expire_time > CAST(:now AS timestamptz) ORDER BY id FOR UPDATE""",
)


async def end_session(
    tx: Transaction, parts: Parts, locked: SignInSession, why: GrantEnd = GrantEnd.SESSION_ENDED
) -> SignInSession:
    """Ends a session that is ACTIVE and locked, with all that was given in it; its clients are told."""
    now = parts.wall.now()
    change = {"state": SessionState.ENDED, "finish_time": now, "update_time": now}
    ended = await _UPDATE.one(tx.connection, locked.id, **change)
    await sign_in_grants.end_in_session(tx.connection, locked.id, why, now)
    await logout_notices.of_session(tx.connection, locked.id, now)
    await parts.withdrawals.withdraw(tx, locked.name)
    tx.emit(locked.name, events.SessionEnded(session=locked.name, person=locked.person))
    return ended


async def end_all(tx: Transaction, parts: Parts, person: str) -> None:
    """Ends whatever a person is signed in to, because their account ends: sessions, and what outlived its session."""
    now = parts.wall.now()
    for each in await _OPEN.all(tx.connection, person=person, now=now):
        await end_session(tx, parts, each, GrantEnd.ACCOUNT_CLOSED)
    left = await sign_in_grants.end_of_person(tx.connection, person, GrantEnd.ACCOUNT_CLOSED, now)
    await logout_notices.of_grants(tx.connection, left, now)
    await parts.withdrawals.withdraw(tx, *sign_in_grants.with_living_tokens(left, now))
