"""What is written and listed of staff."""

from collections.abc import Sequence
from datetime import datetime

from libs.db.connection import DatabaseConnection
from libs.db.query import Insert, Page
from services.identity.core.staff import StaffMember

ADD = Insert(StaffMember)
_LISTED = Page(
    StaffMember,
    "{columns} FROM staff",
    "staff_number, id",
    {
        "department": "department = CAST(:department AS uuid)",
        "state": "state = :state",
        "post": """id IN (SELECT staff FROM assignments WHERE post = CAST(:post AS uuid) AND state = 'HELD'
          AND begin_time <= :now AND (expire_time IS NULL OR expire_time > :now))""",
        "now": "CAST(:now AS timestamptz) IS NOT NULL",
        # The first condition finds the place in the index, the second the place among those of the same number.
        "after": "staff_number >= :after",
        "after_id": "(staff_number, id) > (CAST(:after AS text), CAST(:after_id AS uuid))",
    },
)


async def page(
    connection: DatabaseConnection,
    size: int,
    now: datetime,
    after: Sequence[str | int] | None,
    **filters: str | None,
) -> list[StaffMember]:
    """Lists staff by staff number, after a number and an id.

    Filters: ``department`` and ``post`` (ids; whoever holds it at ``now``), ``state``.
    """
    number, key = after or (None, None)
    at = now if filters.get("post") else None
    return await _LISTED.rows(connection, size, now=at, after=number, after_id=key, **filters)
