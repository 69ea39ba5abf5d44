"""What is written and listed of items."""

from collections.abc import Sequence

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Insert, Page, Query, Update, of
from libs.errors import not_found
from services.cases.core.cases import id_of
from services.cases.core.items import ItemRow, items
from services.cases.items.rules import KnownVersion

of(items)(KnownVersion)
ADD, UPDATE = Insert(ItemRow), Update(ItemRow)
_LOCK = Query(ItemRow, "SELECT {columns} FROM items WHERE id = CAST(:id AS uuid) FOR UPDATE")
_OF_CODE = Query(KnownVersion, "SELECT {columns} FROM items WHERE task_code = :code FOR UPDATE")
_LISTED = Page(
    ItemRow,
    "{columns} FROM items",
    "task_code, number DESC",
    {
        "task_code": "task_code = :task_code",
        "state": "state = :state",
        "department": "department = :department",
        "category": "category = :category",
        "region": "cross_region AND (open_regions = '{}' OR CAST(:region AS text) = ANY(open_regions))",
        "code": "task_code > :code OR (task_code = :code AND number < CAST(:number AS integer))",
        "number": "CAST(:number AS integer) > 0",
        "shown": "state <> 'DRAFT' AND :shown",
    },
)


async def lock(connection: DatabaseConnection, name: str) -> ItemRow:
    """Reads a version and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def lock_code(connection: DatabaseConnection, task_code: str) -> list[KnownVersion]:
    """Reads all versions of an implementation code and keeps others from changing them."""
    return await _OF_CODE.all(connection, code=task_code)


async def page(database: Database, size: int, after: Sequence[str | int] | None, **filters: str) -> list[ItemRow]:
    """Lists versions that were published once, by implementation code, the newest first.

    Filters: ``task_code``, ``state``, ``department``, ``category``, ``region`` (to which they are open); ``after`` is code
    and number of the last one before.
    """
    code, number = after or (None, None)
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, code=code, number=number, shown=True, **filters)
