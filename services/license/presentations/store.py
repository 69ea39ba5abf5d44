"""What is written of presentations."""

from libs.crypto.envelope import Column
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, Update
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.license.core.presentations import presentations
from services.license.core.reading import Presentation
from services.license.presentations.rules import code_invalid
from tongban.license.v1 import presentation_service_pb2 as pb

CODE = Column("presentations", "code")
_STATE = "CASE WHEN state = 'WITHDRAWN' OR expire_time > CAST(:now AS timestamptz) THEN state ELSE 'EXPIRED' END"
LISTED = FilteredList(
    Presentation,
    pb.ListPresentationsRequest,
    presentations,
    {
        **{name: fields.text(name) for name in ("verifier", "item_code", "consent")},
        "licenses.license": fields.texts("licenses"),
        "state": fields.choice(_STATE, pb.PresentationState),
        "single_use": fields.flag("single_use"),
        "redeem_count": fields.number("redeem_count"),
        "create_time": fields.moment("create_time"),
        "expire_time": fields.moment("expire_time"),
        "redeem_time": fields.moment("redeem_time", nullable=True),
        "withdraw_time": fields.moment("withdraw_time", nullable=True),
    },
    {"create_time": Order(("create_time", "id"), (Path(("holder",)),))},
    "create_time desc",
)
ADD, UPDATE = Addition(Presentation), Update(Presentation)
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
