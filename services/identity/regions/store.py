"""What is written and listed of the trust list."""

from dataclasses import fields

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.etag import check_etag
from libs.db.query import Query, Update
from libs.errors import not_found
from libs.lists import fields as listed
from libs.lists.listing import FilteredList
from libs.lists.paths import Order
from services.identity.core.regions import ListedRegion, regions
from tongban.identity.v1 import resources_pb2 as pb
from tongban.identity.v1.region_service_pb2 import ListRegionsRequest

ADD, UPDATE = Addition(ListedRegion), Update(ListedRegion)
_KEPT = frozenset({"id", "version"})
_LOCK = Query(ListedRegion, "SELECT {columns} FROM regions WHERE id = :id FOR UPDATE")
LISTED = FilteredList(
    ListedRegion,
    ListRegionsRequest,
    regions,
    {
        "display_name": listed.text("display_name"),
        "state": listed.choice("state", pb.RegionState),
        **{
            f"{way}.{name}": listed.number(f"{way}_{name}")
            for way in ("inbound", "outbound")
            for name in ("max_assurance", "min_assurance")
        },
        **{f"{way}.state": listed.choice(f"{way}_state", pb.TrustState) for way in ("inbound", "outbound")},
        **{f"{way}.grade": listed.choice(f"{way}_grade", pb.TrustGrade) for way in ("inbound", "outbound")},
        "activate_time": listed.moment("activate_time", nullable=True),
        **{name: listed.moment(name) for name in ("state_time", "create_time")},
    },
    {"name": Order(("id",))},
    "name",
)


async def find_locked(connection: DatabaseConnection, code: str) -> ListedRegion | None:
    """Reads the region with this id and keeps others from changing it; None where it never stood on the list."""
    return await _LOCK.first(connection, id=code)


async def lock(connection: DatabaseConnection, name: str, etag: str) -> ListedRegion:
    """Reads a region and keeps others from changing it; raises NotFound, ETAG_MISMATCH."""
    found = await find_locked(connection, name.removeprefix("regions/"))
    if found is None:
        raise not_found(name)
    check_etag(name, found.version, etag)
    return found


async def enter(connection: DatabaseConnection, proposed: ListedRegion, *, known: bool) -> ListedRegion:
    """Enters a region anew; one that is ``known`` had its trust ended, and keeps its row."""
    if not known:
        return await ADD.add(connection, proposed)
    columns = {each.name: getattr(proposed, each.name) for each in fields(proposed) if each.name not in _KEPT}
    return await UPDATE.one(connection, proposed.id, **columns)
