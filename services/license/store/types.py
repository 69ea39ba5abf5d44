"""Reads licence types."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.license.clients.kept import Kept
from services.license.tables import license_types

_KEEP_SECONDS = 5.0
Filters = dict[str, Any]


@cache
def _page(filters: frozenset[str]) -> sa.Select[Any]:
    query = sa.select(license_types).order_by(license_types.c.code).limit(sa.bindparam("size"))
    conditions = {
        "state": license_types.c.state == sa.bindparam("state"),
        "code": license_types.c.code == sa.bindparam("code"),
        "item_code": license_types.c.item_codes.contains(
            sa.bindparam("item_code", type_=license_types.c.item_codes.type)
        ),
        "after": license_types.c.code > sa.bindparam("after"),
    }
    return query.where(*(conditions[name] for name in sorted(filters)))


class TypeStore:
    """Licence types in PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Kept[Row] = Kept(_KEEP_SECONDS)

    async def get(self, identifier: str) -> Row:
        """Reads a type; raises NotFound."""
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(rows.by_id(license_types), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"licenseTypes/{identifier}")
        return row

    async def kept(self, identifier: str) -> Row:
        """Reads a type, as it was at most five seconds ago (a draft as it is now); raises NotFound."""
        row = await self._kept.get(identifier, lambda: self.get(identifier))
        return row if row.state == "PUBLISHED" else await self.get(identifier)

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a type and keeps others from changing it; raises NotFound."""
        query = rows.by_id(license_types, lock=True)
        row: Row | None = (await connection.execute(query, {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"licenseTypes/{identifier}")
        self._kept.forget(identifier)
        return row

    async def page(self, size: int, filters: Filters) -> list[Row]:
        """Lists types by code; filters: ``state``, ``code``, ``item_code`` (a list of one), ``after`` (a code)."""
        async with self._database.read() as connection:
            found = await connection.execute(_page(frozenset(filters)), {"size": size, **filters})
            return list(found.all())
