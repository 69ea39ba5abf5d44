"""Deliveries of results in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, Update, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core import schema
from services.cases.core.cases import id_of
from tongban.cases.v1 import delivery_service_pb2 as pb
from tongban.cases.v1.resources_pb2 import DeliveryMethod

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
    # Of the case, as it stood when the delivery began: whose list it is in.
    columns.text("applicant"),
    columns.text("agent"),
    columns.text("department"),
    sa.Index("deliveries_applicant", "applicant", "create_time", "id"),
    sa.Index("deliveries_agent", "agent", "create_time", "id", postgresql_where=sa.text("agent <> ''")),
    sa.Index("deliveries_department", "department", "create_time", "id"),
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
    applicant: str = ""
    agent: str = ""
    department: str = ""

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"caseDeliveries/{self.id}"


LISTED = FilteredList(
    DeliveryRow,
    pb.ListCaseDeliveriesRequest,
    deliveries,
    {
        "case": fields.named("case_id", "cases"),
        "method": fields.choice("method", DeliveryMethod),
        "state": fields.choice("state", pb.CaseDeliveryState),
        **{name: fields.text(name) for name in ("region", "tracking_number", "confirmed_by")},
        "create_time": fields.moment("create_time"),
        "deliver_time": fields.moment("deliver_time", nullable=True),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (
                Path(("applicant",)),
                Path(("agent",), "agent <> ''"),
                Path(("department",)),
                Path(("case_id",), few=True),
            ),
        )
    },
    "create_time desc",
)
ADD, UPDATE = Addition(DeliveryRow), Update(DeliveryRow)
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
