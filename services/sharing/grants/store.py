"""What is read of grants."""

from libs.db.query import Query
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order
from services.sharing.core.grants import Grant, grants
from services.sharing.core.resources import CatalogueResource
from services.sharing.core.schema import PATHS
from tongban.sharing.v1.grant_service_pb2 import ListDataGrantsRequest

GRANT = Query(Grant, "SELECT {columns} FROM grants WHERE id = CAST(:id AS uuid)")
# Not by state: whether a grant is active or expired, its terms say at each moment.
LISTED = FilteredList(
    Grant,
    ListDataGrantsRequest,
    grants,
    {
        "resource": fields.named("resource_id", "dataResources"),
        "request": fields.named("request_id", "dataRequests"),
        "legal_basis": fields.text("legal_basis"),
        "terms.consumer_region": fields.text("consumer_region"),
        "terms.departments": fields.names("departments", "departments"),
        "create_time": fields.moment("create_time"),
    },
    {"create_time": Order(("create_time", "id"), PATHS)},
    "create_time desc",
)
ENTRIES = Query(CatalogueResource, "SELECT {columns} FROM resources WHERE id = ANY(CAST(:ids AS uuid[]))")
