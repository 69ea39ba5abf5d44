"""Codes in PostgreSQL: whom they were for, what became of them, and which must still be sent. The code itself stands nowhere."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update, joined, of
from services.identity.contacts.rules import CodeState
from services.identity.core import schema
from services.identity.core.accounts import Person
from services.identity.core.contact_points import ContactKind, ReachablePoint

TARGET = Column("contact_codes", "target")

contact_codes = sa.Table(
    "contact_codes",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.LargeBinary, nullable=False),
    sa.Column("value_index", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("attempt_time", sa.DateTime(timezone=True), nullable=False),
    columns.moment("send_time"),
    *columns.life(),
    sa.Index("contact_codes_person", "person", "create_time"),
    sa.Index("contact_codes_point", "value_index", "create_time"),
    sa.Index("contact_codes_unsent", "attempt_time", postgresql_where=sa.text("send_time IS NULL AND state = 'OPEN'")),
    comment="Codes that were sent to contact points; a code is made of its row's id and a key, and stands nowhere.",
)


@of(contact_codes)
@dataclass(frozen=True, slots=True)
class ContactCode:
    """A code for a contact point of ``person``, an id. Where it goes to is encrypted.

    ``attempt_time`` is when it is sent, or sent again; ``send_time`` when that succeeded.
    """

    id: str
    person: str
    kind: ContactKind
    target: bytes
    value_index: bytes
    expire_time: datetime
    attempt_time: datetime
    create_time: datetime
    update_time: datetime
    state: CodeState = CodeState.OPEN
    tries: int = 0
    attempts: int = 0
    send_time: datetime | None = None
    version: int = 1


@of(joined(create_time=contact_codes.c.create_time))
@dataclass(frozen=True, slots=True)
class SentTime:
    """When a code was made."""

    create_time: datetime


ADD_CODE, UPDATE_CODE, UPDATE_PERSON = Addition(ContactCode), Update(ContactCode), Update(Person)
ADD_POINT, UPDATE_POINT, DELETE_POINT = Addition(ReachablePoint), Update(ReachablePoint), Delete(ReachablePoint)
_TO_POINT = Query(
    SentTime,
    """SELECT {columns} FROM contact_codes WHERE value_index = :value_index AND create_time > :since
    ORDER BY create_time DESC LIMIT 20""",
)
_OF_PERSON = Query(
    SentTime,
    """SELECT {columns} FROM contact_codes WHERE person = CAST(:person AS uuid) AND create_time > :since
    ORDER BY create_time DESC LIMIT 20""",
)
_OPEN = Query(
    ContactCode,
    """SELECT {columns} FROM contact_codes WHERE person = CAST(:person AS uuid) AND value_index = :value_index
    AND state = 'OPEN' AND expire_time > :now ORDER BY create_time DESC LIMIT 1""",
)
_REPLACE = Query(
    ContactCode,
    """UPDATE contact_codes SET state = 'REPLACED', update_time = :now, version = version + 1
    WHERE person = CAST(:person AS uuid) AND value_index = ANY(CAST(:indexes AS bytea[])) AND state = 'OPEN'
    RETURNING {columns}""",
)
_DUE = Query(
    ContactCode,
    """UPDATE contact_codes SET attempts = attempts + 1, attempt_time = CAST(:now AS timestamptz) + CAST(:lease AS interval)
    WHERE id = (SELECT id FROM contact_codes WHERE send_time IS NULL AND state = 'OPEN' AND attempt_time <= :now
      AND expire_time > :now ORDER BY attempt_time LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {columns}""",
)


async def sent_to(connection: DatabaseConnection, index: bytes, since: datetime) -> list[datetime]:
    """Reads when codes were made for a contact point, of whichever account."""
    return [each.create_time for each in await _TO_POINT.all(connection, value_index=index, since=since)]


async def sent_of(connection: DatabaseConnection, person: str, since: datetime) -> list[datetime]:
    """Reads when codes of a person, an id, were made, wherever they went to."""
    return [each.create_time for each in await _OF_PERSON.all(connection, person=person, since=since)]


async def open_code(connection: DatabaseConnection, person: str, index: bytes, now: datetime) -> ContactCode | None:
    """Reads the code that is good for a contact point of a person, an id, whose row is locked; None where there is none."""
    return await _OPEN.first(connection, person=person, value_index=index, now=now)


async def replace(connection: DatabaseConnection, person: str, indexes: list[bytes], now: datetime) -> None:
    """Makes codes for contact points of a person, an id, good no more."""
    await _REPLACE.all(connection, person=person, indexes=indexes, now=now)


async def due(connection: DatabaseConnection, now: datetime, lease: timedelta) -> ContactCode | None:
    """Takes the code that is to be sent next; until ``lease`` is over nobody else does. None where there is none."""
    return await _DUE.first(connection, now=now, lease=lease)
