"""What is written and listed of mandates."""

from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Insert, Page, Query, Update
from services.identity.core.mandate_rules import Mandate
from services.identity.core.mandates import AssertedRight

ADD, UPDATE = Insert(Mandate), Update(Mandate)
_LISTED = Page(
    Mandate,
    "{columns} FROM mandates",
    "id DESC",
    {
        "party": """agent = :party OR principal = :party OR principal IN (
          SELECT 'organizations/' || id::text FROM organizations
          WHERE legal_representative = CAST(substring(CAST(:party AS text) FROM '^persons/(.*)$') AS uuid))""",
        "principal": "principal = :principal",
        "agent": "agent = :agent",
        "now": "CAST(:now AS timestamptz) IS NOT NULL",
        "state": """:state = CASE WHEN state IN ('PROPOSED', 'ACTIVE') AND expire_time <= CAST(:now AS timestamptz)
          THEN 'EXPIRED' ELSE state END""",
        "before": "id < CAST(:before AS uuid)",
    },
)
_ASSERTED = Query(
    AssertedRight,
    "SELECT {columns} FROM asserted_rights WHERE person = :person AND principal = :principal AND mandate = :mandate",
)


async def page(database: Database, size: int, now: datetime, **filters: str | int | None) -> list[Mandate]:
    """Lists mandates, newest first.

    Filters: ``party`` (a person, by themselves or as legal representative), ``principal``, ``agent``, ``state`` (as it is at
    ``now``), ``before`` (an id).
    """
    at = now if filters.get("state") else None
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, now=at, **filters)


async def asserted_right(
    connection: DatabaseConnection, person: str, principal: str, mandate: str
) -> AssertedRight | None:
    """Reads what another region last asserted of a right to act; the names are foreign ones."""
    return await _ASSERTED.first(connection, person=person, principal=principal, mandate=mandate)
