"""Deliveries of results in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Insert, Query, Update, of
from libs.errors import not_found
from services.cases.core import schema
from services.cases.core.cases import id_of

deliveries = sa.Table(
    "deliveries",
    schema.METADATA,
    columns.record_id(),
    schema.case_id(unique=True),
    *columns.given("method", "state", "region"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    columns.text("tracking_number"),
    columns.text("confirmed_by"),
    columns.moment("deliver_time"),
    *columns.life(),
    comment="Deliveries of results. sealed: tongban.cases.v1.Delivery with address and recipient.",
)


@of(deliveries)
@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery, its address and recipient encrypted."""

    id: str
    case_id: str
    method: str
    region: str
    sealed: bytes
    tracking_number: str
    create_time: datetime
    update_time: datetime
    state: str = "PENDING"
    confirmed_by: str = ""
    deliver_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"caseDeliveries/{self.id}"


ADD, UPDATE = Insert(DeliveryRow), Update(DeliveryRow)
_BY_ID = Query(DeliveryRow, "SELECT {columns} FROM deliveries WHERE id = CAST(:id AS uuid)")
_LOCK = Query(DeliveryRow, "SELECT {columns} FROM deliveries WHERE id = CAST(:id AS uuid) FOR UPDATE")


async def get(database: Database, name: str) -> DeliveryRow:
    """Reads a delivery by its name; raises NotFound."""
    async with database.read() as connection:
        return _found(await _BY_ID.first(connection, id=id_of(name)), name)


async def lock(connection: DatabaseConnection, name: str) -> DeliveryRow:
    """Reads a delivery and keeps others from changing it; raises NotFound."""
    return _found(await _LOCK.first(connection, id=id_of(name)), name)


def _found(row: DeliveryRow | None, name: str) -> DeliveryRow:
    if row is None:
        raise not_found(name)
    return row
