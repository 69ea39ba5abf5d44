"""What is written and listed of the catalogue."""

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.license.core.catalogue import LicenseType
from services.license.core.license_types import license_types
from tongban.license.v1 import resources_pb2 as pb
from tongban.license.v1.license_type_service_pb2 import ListLicenseTypesRequest

ADD, UPDATE, DELETE = Addition(LicenseType), Update(LicenseType), Delete(LicenseType)
_LOCK = Query(LicenseType, "SELECT {columns} FROM license_types WHERE id = CAST(:id AS uuid) FOR UPDATE")
LISTED = FilteredList(
    LicenseType,
    ListLicenseTypesRequest,
    license_types,
    {
        "code": fields.text("code"),
        "state": fields.choice("state", pb.LicenseTypeState),
        "holder_category": fields.choice("holder_category", pb.HolderCategory),
        "item_codes": fields.texts("item_codes"),
        "original_item_codes": fields.texts("original_item_codes"),
        "create_time": fields.moment("create_time"),
        "publish_time": fields.moment("publish_time", nullable=True),
        "deprecate_time": fields.moment("deprecate_time", nullable=True),
    },
    {"code": Order(("code",), (Path(), Path(("item_codes",), few=True)))},
    "code",
)


async def lock(connection: DatabaseConnection, name: str) -> LicenseType:
    """Reads a type and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=name.removeprefix("licenseTypes/"))
    if found is None:
        raise not_found(name)
    return found
