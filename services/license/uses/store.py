"""The list of uses."""

from typing import Any

from libs.db.engine import Database
from libs.db.query import Page
from services.license.core.recording import LicenseUse

_LISTED = Page(
    LicenseUse,
    "{columns} FROM license_uses",
    "id DESC",
    {
        "license": "license_id = CAST(:license AS uuid)",
        "holders": "license_id IN (SELECT id FROM licenses WHERE holders && CAST(:holders AS text[]))",
        "case_name": "case_name = :case_name AND case_name <> ''",
        "action": "action = :action",
        "issuer": "issuer_department = :issuer",
        "before": "id < CAST(:before AS uuid)",
    },
)


async def page(database: Database, size: int, **filters: Any) -> list[LicenseUse]:
    """Lists uses, newest first.

    Filters: ``license`` (an id), ``holders`` (accounts, one of whom holds it), ``case_name``, ``action``,
    ``issuer`` (the department that issued it), ``before`` (an id).
    """
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
