"""The catalogue of licence types in PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.engine import Database
from libs.db.query import Query, of
from libs.errors import not_found
from libs.timed_cache import TimedCache
from services.license.core import schema
from services.license.core.catalogue import LicenseType, TypeState

license_types = sa.Table(
    "license_types",
    schema.METADATA,
    columns.record_id(),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("defining_authority", sa.Text, nullable=False),
    sa.Column("holder_category", sa.Text, nullable=False),
    sa.Column("face_fields", JSONB, nullable=False),
    sa.Column("validity_months", sa.Integer, nullable=False),
    sa.Column("page_layout", sa.Text, nullable=False),
    columns.texts("item_codes"),
    columns.texts("original_item_codes"),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("publish_time"),
    columns.moment("deprecate_time"),
    *columns.life(),
    sa.Index("license_types_items", "item_codes", postgresql_using="gin"),
    comment="The region's catalogue of licence types.",
)
of(license_types)(LicenseType)

_BY_ID = Query(LicenseType, "SELECT {columns} FROM license_types WHERE id = CAST(:id AS uuid)")
_KEEP_SECONDS = 5.0


class TypeStore:
    """Reads licence types."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: TimedCache[LicenseType] = TimedCache(_KEEP_SECONDS)

    async def get(self, name: str) -> LicenseType:
        """Reads a type by its name; raises NotFound."""
        async with self._database.read() as connection:
            found = await _BY_ID.first(connection, id=name.removeprefix("licenseTypes/"))
        if found is None:
            raise not_found(name)
        return found

    async def kept(self, name: str) -> LicenseType:
        """Reads a type, as it was at most five seconds ago (a draft as it is now); raises NotFound."""
        found = await self._kept.get(name, lambda: self.get(name))
        return found if found.state is TypeState.PUBLISHED else await self.get(name)

    def forget(self, name: str) -> None:
        """Has a type that is changed here read anew."""
        self._kept.forget(name)
