"""Checks that were started at verifiers, in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from services.identity.core import schema
from services.identity.core.accounts import Person
from services.identity.core.assurance import VerificationMethod
from services.identity.verifiers.rules import MOST_STARTED, AttemptState

KEPT = timedelta(days=1)

verification_attempts = sa.Table(
    "verification_attempts",
    schema.METADATA,
    columns.record_id(),
    columns.reference("person", "persons.id"),
    *columns.given("method", "verifier", "reference", "state"),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    *columns.life(),
    sa.Index("verification_attempts_person", "person", "create_time"),
    comment="Checks of real names that were started at verifiers; forgotten a day after their time is over.",
)


@of(verification_attempts)
@dataclass(frozen=True, slots=True)
class VerificationAttempt:
    """A check of ``person``, an id, at a verifier, which calls it ``reference``."""

    id: str
    person: str
    method: VerificationMethod
    verifier: str
    reference: str
    expire_time: datetime
    create_time: datetime
    update_time: datetime
    state: AttemptState = AttemptState.OPEN
    version: int = 1


ADD, UPDATE, UPDATE_PERSON = Addition(VerificationAttempt), Update(VerificationAttempt), Update(Person)
_SINCE = Query(
    VerificationAttempt,
    """SELECT {columns} FROM verification_attempts WHERE person = CAST(:person AS uuid) AND create_time > :since
    ORDER BY create_time DESC LIMIT :most""",
)
_OPEN = Query(
    VerificationAttempt,
    """SELECT {columns} FROM verification_attempts WHERE id = CAST(:id AS uuid) AND person = CAST(:person AS uuid)
    AND state = 'OPEN' AND expire_time > :now""",
)
_FORGET = Query(
    VerificationAttempt,
    """DELETE FROM verification_attempts WHERE person = CAST(:person AS uuid) AND expire_time < :before RETURNING {columns}""",
)


async def started_since(connection: DatabaseConnection, person: str, since: datetime) -> list[datetime]:
    """Reads when checks of a person, an id, were started, the last one first, and no more than count."""
    found = await _SINCE.all(connection, person=person, since=since, most=MOST_STARTED)
    return [each.create_time for each in found]


async def open_attempt(
    connection: DatabaseConnection, person: str, key: str, now: datetime
) -> VerificationAttempt | None:
    """Reads a check of a person, an id, that can be finished; None where there is none."""
    return await _OPEN.first(connection, id=key, person=person, now=now)


async def forget(connection: DatabaseConnection, person: str, now: datetime) -> None:
    """Forgets the checks of a person, an id, that have been over for a day."""
    await _FORGET.all(connection, person=person, before=now - KEPT)
