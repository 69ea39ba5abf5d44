"""Reads and writes accounts of persons and organisations."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.identity.tables import organizations, persons

_PERSON_BY_DOCUMENT = sa.select(persons).where(
    persons.c.document_index == sa.bindparam(rows.KEY), persons.c.state == "ACTIVE"
)
_ORGANIZATION_BY_USCC = sa.select(organizations).where(organizations.c.uscc == sa.bindparam(rows.KEY))


class AccountStore:
    """Accounts in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person(self, identifier: str) -> Row:
        """Reads a person; raises NotFound."""
        return await self._one(rows.by_id(persons), identifier, f"persons/{identifier}")

    async def person_by_document(self, index: bytes) -> Row:
        """Reads the living account on the document with this blind index; raises NotFound."""
        return await self._one(_PERSON_BY_DOCUMENT, index, "persons")

    async def organization(self, identifier: str) -> Row:
        """Reads an organisation; raises NotFound."""
        return await self._one(rows.by_id(organizations), identifier, f"organizations/{identifier}")

    async def organization_by_uscc(self, uscc: str) -> Row:
        """Reads the organisation with this unified social credit code; raises NotFound."""
        return await self._one(_ORGANIZATION_BY_USCC, uscc, "organizations")

    async def _one(self, query: sa.Select[Any], key: str | bytes, name: str) -> Row:
        async with self._database.read() as connection:
            row: Row | None = (await connection.execute(query, {rows.KEY: key})).first()
        if row is None:
            raise not_found(name)
        return row

    async def lock_person(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a person and keeps others from changing it; raises NotFound."""
        row: Row | None = (await connection.execute(rows.by_id(persons, lock=True), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"persons/{identifier}")
        return row

    async def lock_organization(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads an organisation and keeps others from changing it; raises NotFound."""
        row: Row | None = (await connection.execute(rows.by_id(organizations, lock=True), {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"organizations/{identifier}")
        return row
