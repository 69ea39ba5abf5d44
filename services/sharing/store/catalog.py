"""Reads catalogue entries and mounts."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.sharing.tables import mounts, resources

_MOUNT_OF = sa.select(mounts).where(mounts.c.resource_id == sa.bindparam(rows.KEY)).with_for_update()


@dataclass(frozen=True, slots=True)
class ResourceFilter:
    """Which catalogue entries are wanted; empty fields do not filter.

    ``visible_to`` None sees every entry; a department sees its own and what is published, and so does "".
    """

    state: str = ""
    sharing_class: str = ""
    provider_department: str = ""
    code: str = ""
    visible_to: str | None = ""


class CatalogStore:
    """Catalogue entries and mounts in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def resource(self, key: str) -> Row:
        """Reads a catalogue entry; raises NotFound."""
        return await self._one(resources, key, f"resources/{key}")

    async def mount(self, key: str) -> Row:
        """Reads a mount; raises NotFound."""
        return await self._one(mounts, key, f"mounts/{key}")

    async def _one(self, table: sa.Table, key: str, name: str) -> Row:
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(rows.by_id(table), {rows.KEY: key})).first()
        return _found(row, name)

    async def list_resources(self, wanted: ResourceFilter, after: str, limit: int) -> list[Row]:
        """Lists entries by code, those behind ``after``."""
        query = sa.select(resources).order_by(resources.c.code).limit(limit)
        for column in ("state", "sharing_class", "provider_department", "code"):
            if value := getattr(wanted, column):
                query = query.where(resources.c[column] == value)
        if wanted.visible_to is not None:
            mine = resources.c.provider_department == wanted.visible_to
            query = query.where(sa.or_(resources.c.state == "PUBLISHED", mine))
        async with self._database.read() as connection:
            return list((await connection.execute(query.where(resources.c.code > after))).all())

    async def lock_resource(self, connection: AsyncConnection, key: str) -> Row:
        """Reads an entry and keeps others from changing it; raises NotFound."""
        return await _locked(connection, resources, key, f"resources/{key}")

    async def lock_mount(self, connection: AsyncConnection, key: str) -> Row:
        """Reads a mount and keeps others from changing it; raises NotFound."""
        return await _locked(connection, mounts, key, f"mounts/{key}")

    async def lock_mount_of(self, connection: AsyncConnection, resource_key: str) -> Row | None:
        """Reads the mount of a resource, where it has one, and keeps others from changing it."""
        row: Row | None = (await connection.execute(_MOUNT_OF, {rows.KEY: resource_key})).first()
        return row


async def _locked(connection: AsyncConnection, table: sa.Table, key: str, name: str) -> Row:
    row: Row | None = (await connection.execute(rows.by_id(table, lock=True), {rows.KEY: key})).first()
    return _found(row, name)


def _found(row: Any, name: str) -> Row:
    if row is None:
        raise not_found(name)
    found: Row = row
    return found
