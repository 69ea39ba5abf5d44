"""Materials in PostgreSQL; their bytes lie in the document store."""

import sqlalchemy as sa

from libs.crypto.envelope import Column
from libs.db import columns
from libs.db.change import Addition
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from libs.lists import fields
from libs.lists.listing import FilteredList
from libs.lists.paths import Order, Path
from services.license.core import schema
from services.license.materials.rules import Material
from tongban.license.v1 import material_service_pb2 as pb

FILE_NAME = Column("materials", "file_name")

materials = sa.Table(
    "materials",
    schema.METADATA,
    columns.record_id(),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("file_name", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    columns.text("case_name"),
    columns.text("handling_region"),
    sa.Column("reusable", sa.Boolean, nullable=False),
    sa.Column("valid_until", sa.Date),
    sa.Column("uploader", sa.Text, nullable=False),
    sa.Column("reuse_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("erase_time"),
    *columns.life(),
    sa.Index("materials_of_owner", "owner", "create_time", "id"),
    sa.Index("materials_of_uploader", "uploader", "create_time", "id"),
    comment="Files that people and firms handed in; their bytes lie in the document store.",
)
of(materials)(Material)

ADD = Addition(Material)
_STATE = """
CASE WHEN state = 'ACTIVE' AND valid_until IS NOT NULL AND valid_until < CAST(:today AS date) THEN 'EXPIRED' ELSE state END
""".strip()
LISTED = FilteredList(
    Material,
    pb.ListMaterialsRequest,
    materials,
    {
        **{name: fields.text(name) for name in ("category", "handling_region")},
        "case": fields.text("case_name"),
        "state": fields.choice(_STATE, pb.MaterialState),
        "reusable": fields.flag("reusable"),
        "end_date": fields.day("valid_until", nullable=True),
        "reuse_count": fields.number("reuse_count"),
        "erase_time": fields.moment("erase_time", nullable=True),
        "create_time": fields.moment("create_time"),
    },
    {"create_time": Order(("create_time", "id"), (Path(("owner",)), Path(("uploader",))))},
    "create_time desc",
)
_BY_ID = Query(Material, "SELECT {columns} FROM materials WHERE id = CAST(:id AS uuid)")


async def get(database: Database, name: str) -> Material:
    """Reads a material by its name; raises NotFound."""
    async with database.read() as connection:
        found = await _BY_ID.first(connection, id=name.removeprefix("materials/"))
    if found is None:
        raise not_found(name)
    return found
