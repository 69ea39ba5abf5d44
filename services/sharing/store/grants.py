"""Reads requests and grants."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.sharing.caller import Caller
from services.sharing.tables import grant_usage, grants, requests, resources

_GRANTS = (
    sa.select(grants, grant_usage.c.day, grant_usage.c.queries_today, grant_usage.c.rows_total, resources.c.entry)
    .join(grant_usage, grant_usage.c.grant_id == grants.c.id)
    .join(resources, resources.c.id == grants.c.resource_id)
)
_GRANT_BY_ID = _GRANTS.where(grants.c.id == sa.bindparam(rows.KEY))
_WAITING = (
    sa.select(grants)
    .where(grants.c.resource_id == sa.bindparam(rows.KEY), grants.c.state == "GRANTED")
    .order_by(grants.c.id)
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests or grants are wanted; empty fields do not filter."""

    resource_key: str = ""
    department: str = ""
    consumer_region: str = ""
    state: str = ""


class GrantStore:
    """Requests and grants in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def request(self, key: str) -> Row:
        """Reads a request; raises NotFound."""
        return await self._one(rows.by_id(requests), key, f"requests/{key}")

    async def grant(self, key: str) -> Row:
        """Reads a grant with its usage and its resource's entry; raises NotFound."""
        return await self._one(_GRANT_BY_ID, key, f"grants/{key}")

    async def _one(self, query: sa.Select[*tuple[object, ...]], key: str, name: str) -> Row:
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
        if row is None:
            raise not_found(name)
        return row

    async def lock_request(self, connection: AsyncConnection, key: str) -> Row:
        """Reads a request and keeps others from changing it; raises NotFound."""
        row: Row | None = (await connection.execute(rows.by_id(requests, lock=True), {rows.KEY: key})).first()
        if row is None:
            raise not_found(f"requests/{key}")
        return row

    async def lock_waiting(self, connection: AsyncConnection, resource_key: str) -> list[Row]:
        """Reads the grants of a resource that wait for its data, and keeps others from changing them."""
        return list((await connection.execute(_WAITING, {rows.KEY: resource_key})).all())

    async def list_requests(self, caller: Caller, wanted: Wanted, before: str, limit: int) -> list[Row]:
        """Lists the requests that the caller may see, newest first, those older than ``before``."""
        return await self._list(sa.select(requests), requests, caller, wanted, before, limit)

    async def list_grants(self, caller: Caller, wanted: Wanted, before: str, limit: int) -> list[Row]:
        """Lists the grants that the caller may see, newest first, those older than ``before``."""
        return await self._list(_GRANTS, grants, caller, wanted, before, limit)

    async def _list(
        self,
        query: sa.Select[*tuple[object, ...]],
        table: sa.Table,
        caller: Caller,
        wanted: Wanted,
        before: str,
        limit: int,
    ) -> list[Row]:
        filters = [_visible(table, caller)]
        if wanted.resource_key:
            filters.append(table.c.resource_id == wanted.resource_key)
        if wanted.department:
            filters.append(table.c.departments.contains([wanted.department]))
        if wanted.consumer_region:
            filters.append(table.c.consumer_region == wanted.consumer_region)
        if wanted.state:
            filters.append(table.c.state == wanted.state)
        if before:
            filters.append(table.c.id < before)
        async with self._database.read() as connection:
            found = await connection.execute(query.where(*filters).order_by(table.c.id.desc()).limit(limit))
            return list(found.all())


def _visible(table: sa.Table, caller: Caller) -> sa.ColumnElement[bool]:
    """Returns what :meth:`Caller.sees` says of a row, as a condition."""
    if caller.audits or (caller.home and caller.whole_region):
        return sa.true()
    consumes = table.c.consumer_region == caller.region
    if not caller.whole_region:
        consumes = sa.and_(consumes, table.c.departments.contains([caller.department]))
    if not caller.home:
        return consumes
    return sa.or_(consumes, table.c.provider_department == caller.department)
