"""What is written and listed of the catalogue."""

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Insert, Page, Query, Update
from libs.errors import not_found
from services.license.core.catalogue import LicenseType

ADD, UPDATE = Insert(LicenseType), Update(LicenseType)
_LOCK = Query(LicenseType, "SELECT {columns} FROM license_types WHERE id = CAST(:id AS uuid) FOR UPDATE")
_LISTED = Page(
    LicenseType,
    "{columns} FROM license_types",
    "code",
    {
        "state": "state = :state",
        "code": "code = :code",
        "item_code": "item_codes @> ARRAY[CAST(:item_code AS text)]",
        "after": "code > :after",
    },
)


async def lock(connection: DatabaseConnection, name: str) -> LicenseType:
    """Reads a type and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=name.removeprefix("licenseTypes/"))
    if found is None:
        raise not_found(name)
    return found


async def page(database: Database, size: int, **filters: str | int | None) -> list[LicenseType]:
    """Lists types by code. Filters: ``state``, ``code``, ``item_code``, ``after`` (a code)."""
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
