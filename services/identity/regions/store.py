"""What is written and listed of the trust list."""

from dataclasses import fields

from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.etag import check_etag
from libs.db.query import Insert, Page, Query, Update
from libs.errors import not_found
from services.identity.core.regions import ListedRegion

ADD, UPDATE = Insert(ListedRegion), Update(ListedRegion)
_KEPT = frozenset({"id", "version"})
_LOCK = Query(ListedRegion, "SELECT {columns} FROM regions WHERE id = :id FOR UPDATE")
_LISTED = Page(ListedRegion, "{columns} FROM regions", "id", {"state": "state = :state", "after": "id > :after"})


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


async def page(database: Database, size: int, **filters: str | int | None) -> list[ListedRegion]:
    """Lists regions by id. Filters: ``state``, ``after`` (an id)."""
    async with database.read() as connection:
        return await _LISTED.rows(connection, size, **filters)
