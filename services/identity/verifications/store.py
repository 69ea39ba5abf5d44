"""Checks of real names in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update, of
from libs.db.schema import EVIDENCE
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.identity.core import schema
from services.identity.core.accounts import Person
from services.identity.core.assurance import VerificationMethod
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.verification_service_pb2 import ListVerificationsRequest

PASSED, FAILED = "PASSED", "FAILED"
MOST_FAILURES = 5

verifications = sa.Table(
    "verifications",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("details", JSONB, nullable=False),
    sa.Column("verify_time", sa.DateTime(timezone=True), nullable=False),
    sa.Index("verifications_of_person", "person", "verify_time", "id"),
    info=EVIDENCE,
    comment="Every check of a real name, passed or failed.",
)


@of(verifications)
@dataclass(frozen=True, slots=True)
class Verification:
    """One check of a person's real name; ``assurance`` is the level after it, ``person`` an id.

    ``details`` holds the place and the digests of what was shown; of a comparison nothing that was stated.
    """

    id: str
    person: str
    method: VerificationMethod
    outcome: str
    assurance: int
    verifier: str
    details: dict[str, Any]
    verify_time: datetime

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"persons/{self.person}/verifications/{self.id}"


LISTED = FilteredList(
    Verification,
    ListVerificationsRequest,
    verifications,
    {
        "method": fields.choice("method", pb.VerificationMethod),
        "outcome": fields.choice("outcome", pb.VerificationOutcome),
        "assurance": fields.number("assurance"),
        "verifier": fields.text("verifier"),
        "verify_time": fields.moment("verify_time"),
    },
    {"verify_time": Order(("verify_time", "id"), (Path(("person",)),))},
    "verify_time desc",
)
ADD, UPDATE_PERSON = Addition(Verification), Update(Person)
_FAILURES = Query(
    Verification,
    # What lies further ahead than the span itself was written by a clock that was ahead; it must not lock anybody out.
    """SELECT {columns} FROM verifications WHERE person = CAST(:person AS uuid) AND outcome = 'FAILED'
    AND verify_time > :since AND verify_time < :until ORDER BY verify_time LIMIT :most""",
)


async def failures(connection: DatabaseConnection, person: str, now: datetime, within: timedelta) -> list[Verification]:
    """Reads the failed checks of a person's name within a span of ``now``, the first ones first, and no more than count."""
    return await _FAILURES.all(connection, person=person, since=now - within, until=now + within, most=MOST_FAILURES)
