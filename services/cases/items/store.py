"""What is written and listed of items."""

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core.cases import id_of
from services.cases.core.items import ItemRow, items
from services.cases.items.rules import KnownVersion
from tongban.cases.v1 import item_service_pb2 as pb

of(items)(KnownVersion)
ADD, UPDATE, DELETE = Addition(ItemRow), Update(ItemRow), Delete(ItemRow)
_LOCK = Query(ItemRow, "SELECT {columns} FROM items WHERE id = CAST(:id AS uuid) FOR UPDATE")
_OF_CODE = Query(KnownVersion, "SELECT {columns} FROM items WHERE task_code = :code FOR UPDATE")
PUBLISHED, SHOWN = "state = 'PUBLISHED'", "state <> 'DRAFT'"
OPEN_TO_REGION = "cross_region AND (open_regions = '{}' OR CAST(:region AS text) = ANY(open_regions))"
LISTED = FilteredList(
    ItemRow,
    pb.ListServiceItemsRequest,
    items,
    {
        "state": fields.choice("state", pb.ServiceItemState),
        **{f"content.{name}": fields.text(name) for name in ("task_code", "category", "department")},
        "create_time": fields.moment("create_time"),
        "publish_time": fields.moment("publish_time", nullable=True),
        "supersede_time": fields.moment("supersede_time", nullable=True),
    },
    {"content.task_code": Order(("task_code", "number"), (Path(),))},
    "content.task_code",
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
