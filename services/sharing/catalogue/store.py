"""What is written and listed of catalogue entries."""

from libs.db.change import Addition
from libs.db.query import Delete, Update
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.sharing.core.resources import CatalogueResource, resources
from tongban.sharing.v1 import resources_pb2 as pb
from tongban.sharing.v1.catalog_service_pb2 import ListDataResourcesRequest

ADD, UPDATE, DELETE = Addition(CatalogueResource), Update(CatalogueResource), Delete(CatalogueResource)
LISTED = FilteredList(
    CatalogueResource,
    ListDataResourcesRequest,
    resources,
    {
        "entry.code": fields.text("code"),
        "entry.provider_department": fields.name("provider_department", "departments"),
        "entry.sharing_class": fields.choice("sharing_class", pb.SharingClass),
        "state": fields.choice("state", pb.DataResourceState),
        "create_time": fields.moment("create_time"),
        **{name: fields.moment(name, nullable=True) for name in ("submit_time", "publish_time")},
    },
    {"entry.code": Order(("code",), (Path(), Path(("state",)), Path(("provider_department",))))},
    "entry.code",
)
