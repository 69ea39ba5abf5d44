"""What is written of presentations."""

from libs.crypto.envelope import Column
from libs.db.connection import DatabaseConnection
from libs.db.query import Insert, Query, Update
from libs.errors import not_found
from services.license.core.reading import Presentation
from services.license.presentations.rules import code_invalid

CODE = Column("presentations", "code")
ADD, UPDATE = Insert(Presentation), Update(Presentation)
_LOCK = Query(Presentation, "SELECT {columns} FROM presentations WHERE id = CAST(:id AS uuid) FOR UPDATE")
_LOCK_CODE = Query(Presentation, "SELECT {columns} FROM presentations WHERE code_digest = :digest FOR UPDATE")


async def lock(connection: DatabaseConnection, name: str) -> Presentation:
    """Reads a presentation and keeps others from changing it; raises NotFound."""
    found = await _LOCK.first(connection, id=name.removeprefix("presentations/"))
    if found is None:
        raise not_found(name)
    return found


async def lock_by_code(connection: DatabaseConnection, digest: bytes) -> Presentation:
    """Does the same by the digest of its code; raises PRESENTATION_CODE_INVALID."""
    found = await _LOCK_CODE.first(connection, digest=digest)
    if found is None:
        raise code_invalid()
    return found
