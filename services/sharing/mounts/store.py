"""What is written and read of mounts."""

from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Delete, Query, Update
from libs.errors import not_found
from services.sharing.core.mounts import Mount
from services.sharing.core.resources import CatalogueResource

ADD, UPDATE, DELETE = Addition(Mount), Update(Mount), Delete(Mount)
MOUNTED = Update(CatalogueResource)
_BY_ID = Query(Mount, "SELECT {columns} FROM mounts WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Mount, "SELECT {columns} FROM mounts WHERE id = CAST(:id AS uuid) FOR UPDATE")


async def mount(connection: DatabaseConnection, key: str) -> Mount:
    """Reads a mount by its id; raises NotFound."""
    return _found(await _BY_ID.first(connection, id=key), key)


async def lock_mount(connection: DatabaseConnection, key: str) -> Mount:
    """Reads a mount and keeps others from changing it; raises NotFound."""
    return _found(await _LOCK.first(connection, id=key), key)


def _found(found: Mount | None, key: str) -> Mount:
    if found is None:
        raise not_found(f"dataMounts/{key}")
    return found
