"""Presentations in PostgreSQL."""

import sqlalchemy as sa

from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from services.license.core import schema
from services.license.core.reading import Presentation

presentations = sa.Table(
    "presentations",
    schema.METADATA,
    columns.record_id(),
    sa.Column("holder", sa.Text, nullable=False),
    columns.texts("licenses"),
    sa.Column("verifier", sa.Text, nullable=False),
    columns.text("item_code"),
    sa.Column("purpose_code", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    columns.text("service_item"),
    columns.text("case_name"),
    columns.text("department"),
    columns.text("operator"),
    columns.text("transaction_id"),
    columns.text("consent"),
    sa.Column("single_use", sa.Boolean, nullable=False),
    sa.Column("redeem_count", sa.Integer, nullable=False, server_default="0"),
    columns.text("redeemer"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("code", sa.LargeBinary, nullable=False),
    sa.Column("code_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    columns.moment("redeem_time"),
    columns.moment("withdraw_time"),
    *columns.life(),
    sa.Index("presentations_of_holder", "holder", "create_time", "id"),
    comment="Licences handed to a verifier by their holder.",
)
of(presentations)(Presentation)

_BY_ID = Query(Presentation, "SELECT {columns} FROM presentations WHERE id = CAST(:id AS uuid)")


class PresentationStore:
    """Reads presentations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> Presentation:
        """Reads a presentation by its name; raises NotFound."""
        async with self._database.read() as connection:
            found = await _BY_ID.first(connection, id=name.removeprefix("presentations/"))
        if found is None:
            raise not_found(name)
        return found
