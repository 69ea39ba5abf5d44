"""What is read and changed of licences that are there."""

from collections.abc import Sequence

from libs.db.engine import Database
from libs.db.query import Page, Query, Update
from libs.errors import not_found
from services.license.core.licenses import KnownLicense, License, license_id

UPDATE = Update(License)
_BY_IDENTIFIER = Query(License, "SELECT {columns} FROM licenses WHERE identifier = :identifier")
_ISSUED = Query(
    KnownLicense, "SELECT {columns} FROM licenses WHERE id = ANY(CAST(:ids AS uuid[])) AND ofd_digest IS NOT NULL"
)
_LISTED = Page(
    License,
    "{columns} FROM licenses",
    "id DESC",
    {
        "holder": "holders @> ARRAY[CAST(:holder AS text)]",
        "case_name": "case_name = :case_name AND case_name <> '' AND state <> 'VOIDED'",
        "issuer": "issuer_department = :issuer",
        "license_type": "license_type = CAST(:license_type AS uuid)",
        "state": "state = :state",
        "before": "id < CAST(:before AS uuid)",
        # For everybody but the issuer: an unfinished licence does not exist.
        "shown": "state NOT IN ('DRAFT', 'VOIDED') AND :shown",
    },
)


class ListedLicenses:
    """Finds licences by more than their name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_identifier(self, identifier: str) -> License:
        """Reads a licence by its identifier of GB/T 36904; raises NotFound."""
        async with self._database.read() as connection:
            found = await _BY_IDENTIFIER.first(connection, identifier=identifier)
        if found is None:
            raise not_found("licenses")
        return found

    async def issued(self, names: Sequence[str]) -> frozenset[str]:
        """Returns which of some licences were ever issued, whatever became of them."""
        async with self._database.read() as connection:
            found = await _ISSUED.all(connection, ids=[license_id(name) for name in names])
        return frozenset(each.name for each in found)

    async def page(self, size: int, **filters: str | int | bool | None) -> list[License]:
        """Lists licences, newest first.

        Filters: ``holder``, ``case_name``, ``issuer``, ``license_type``, ``state``, ``before`` (an id), ``shown`` (leaves out
        what only the issuer sees).
        """
        async with self._database.read() as connection:
            return await _LISTED.rows(connection, size, **filters)
