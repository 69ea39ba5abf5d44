"""Closed accounts in PostgreSQL: why, by whom, and what shows it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.db.schema import EVIDENCE
from services.identity.closings.rules import ClosingCause
from services.identity.core import schema
from services.identity.core.accounts import Organization, Person
from services.identity.core.further_documents import FurtherDocument
from services.identity.core.staff import StaffMember

DEATH_DATE = Column("closings", "death_date")

closings = sa.Table(
    "closings",
    schema.METADATA,
    columns.record_id(),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("death_date", sa.LargeBinary),
    columns.texts("evidence"),
    sa.Column("closer", sa.Text, nullable=False),
    sa.Column("close_time", sa.DateTime(timezone=True), nullable=False),
    sa.Index("closings_account", "account"),
    info=EVIDENCE,
    comment="Why accounts were closed, by whom, and what shows it; a day of death is encrypted.",
)


@of(closings)
@dataclass(frozen=True, slots=True)
class AccountClosing:
    """That an account was closed, by ``closer``; ``evidence`` names files."""

    id: str
    account: str
    cause: ClosingCause
    death_date: bytes | None
    evidence: tuple[str, ...]
    closer: str
    close_time: datetime


ADD, UPDATE_PERSON, UPDATE_ORGANIZATION = Addition(AccountClosing), Update(Person), Update(Organization)
_RELEASE = Query(
    FurtherDocument,
    """UPDATE further_documents SET held = false, update_time = :now, version = version + 1
    WHERE person = CAST(:person AS uuid) AND held RETURNING {columns}""",
)
_LEAVE = Query(
    StaffMember,
    """UPDATE staff SET state = 'LEFT', update_time = :now, version = version + 1
    WHERE person = CAST(:person AS uuid) AND state = 'ACTIVE' RETURNING {columns}""",
)


async def release_documents(connection: DatabaseConnection, person: str, now: datetime) -> None:
    """Gives free what documents an account, an id, had beside the one on which it stood: another may have them."""
    await _RELEASE.all(connection, person=person, now=now)


async def leave_office(connection: DatabaseConnection, person: str, now: datetime) -> None:
    """Notes that a person, an id, has left wherever they were on the staff; they hold no posts."""
    await _LEAVE.all(connection, person=person, now=now)
