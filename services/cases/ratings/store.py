"""Ratings in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.db.schema import EVIDENCE
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.cases.core import schema
from services.cases.core.cases import id_of
from services.cases.ratings.rules import RatingKind, Satisfaction
from tongban.cases.v1 import rating_service_pb2 as pb
from tongban.cases.v1.resources_pb2 import SatisfactionLevel

ratings = sa.Table(
    "ratings",
    schema.METADATA,
    columns.record_id(),
    *columns.given("case_name", "kind", "level", "channel"),
    sa.Column("comment", sa.LargeBinary),
    sa.Column("indicators", ARRAY(sa.Text), nullable=False),
    *columns.given("rater", "department"),
    sa.Column("effective", sa.Boolean, nullable=False),
    columns.moment("create_time", nullable=False),
    sa.UniqueConstraint("case_name", "kind"),
    sa.Index("ratings_rater", "rater", "create_time", "id", postgresql_where=sa.text("rater <> ''")),
    sa.Index("ratings_department", "department", "create_time", "id"),
    info=EVIDENCE,
    comment="Ratings: one first and one follow-up a case.",
)


@of(ratings)
@dataclass(frozen=True, slots=True)
class RatingRow:
    """A rating, its comment encrypted."""

    id: str
    case_name: str
    kind: RatingKind
    level: Satisfaction
    channel: str
    comment: bytes | None
    indicators: tuple[str, ...]
    rater: str
    department: str
    effective: bool
    create_time: datetime

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"ratings/{self.id}"


ADD = Addition(RatingRow)
LISTED = FilteredList(
    RatingRow,
    pb.ListRatingsRequest,
    ratings,
    {
        "case": fields.text("case_name"),
        "kind": fields.choice("kind", pb.RatingKind),
        "level": fields.choice("level", SatisfactionLevel),
        "channel": fields.choice("channel", pb.RatingChannel),
        "indicators": fields.texts("indicators"),
        "effective": fields.flag("effective"),
        "create_time": fields.moment("create_time"),
    },
    {
        "create_time": Order(
            ("create_time", "id"),
            (Path(("rater",), "rater <> ''"), Path(("department",)), Path(("case_name",), few=True)),
        )
    },
    "create_time desc",
)
_BY_ID = Query(RatingRow, "SELECT {columns} FROM ratings WHERE id = CAST(:id AS uuid)")
_OF_CASE = Query(RatingRow, "SELECT {columns} FROM ratings WHERE case_name = :case_name")


async def get(database: Database, name: str) -> RatingRow:
    """Reads a rating by its name; raises NotFound."""
    async with database.read() as connection:
        found = await _BY_ID.first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def of_case(connection: DatabaseConnection, case_name: str) -> list[RatingRow]:
    """Reads the ratings of a case."""
    return await _OF_CASE.all(connection, case_name=case_name)
