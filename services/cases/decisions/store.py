"""Licences that were issued on decisions, as the license service told; and cases that wait for theirs."""

from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.db.schema import EVIDENCE
from services.cases.core import schema
from services.cases.core.departments import OF_DEPARTMENTS

case_licenses = sa.Table(
    "case_licenses",
    schema.METADATA,
    sa.Column("license", sa.Text, primary_key=True),
    schema.case_id(),
    sa.Column("identifier", sa.Text, nullable=False),
    columns.moment("issue_time", nullable=False),
    sa.Index("case_licenses_time", "issue_time"),
    info=EVIDENCE,
    comment="Licences issued on decisions, as the license service told.",
)


@of(case_licenses)
@dataclass(frozen=True, slots=True)
class CaseLicense:
    """A licence that a case yielded."""

    license: str
    case_id: str
    identifier: str
    issue_time: datetime


UNLICENSED = f"""
{OF_DEPARTMENTS} AND cases.state = 'DECIDED' AND cases.license = '' AND cases.outcome <> 'REJECTED'
  AND NOT EXISTS (SELECT 1 FROM tasks WHERE case_id = cases.id AND kind IN ('CLOSE', 'REDECIDE') AND state IN ('OPEN', 'CLAIMED'))
"""  # noqa: S608 - made of a text of our own
"""Decided cases that no officer has to close or to decide anew: they wait for their licence."""
TOLD = """
SELECT told.license AS key, cases.department AS party FROM case_licenses AS told JOIN cases ON cases.id = told.case_id
"""
"""Every licence that the licence service told of, as a comparison goes through them."""
_NOTE = Query(
    CaseLicense,
    """
INSERT INTO case_licenses (license, case_id, identifier, issue_time)
VALUES (:license, CAST(:case_id AS uuid), :identifier, :issue_time) ON CONFLICT DO NOTHING
""",
)
_TOLD_ONE = Query(CaseLicense, "SELECT {columns} FROM case_licenses WHERE license = :license")


async def told(database: Database, license_name: str) -> CaseLicense | None:
    """Reads what was told of a licence, or None."""
    async with database.read() as connection:
        return await _TOLD_ONE.first(connection, license=license_name)


async def note(connection: DatabaseConnection, yielded: CaseLicense) -> None:
    """Notes a licence that was issued on the decision of a case; a repeat changes nothing."""
    await _NOTE.first(connection, **asdict(yielded))
