"""Reads presentations."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.license.domain.presentation import code_invalid
from services.license.tables import presentations

_BY_CODE = sa.select(presentations).where(presentations.c.code_digest == sa.bindparam(rows.KEY)).with_for_update()


class PresentationStore:
    """Presentations in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, identifier: str) -> Row:
        """Reads a presentation; raises NotFound."""
        async with self._database.read() as connection:
            return await _one(connection, rows.by_id(presentations), identifier)

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a presentation and keeps others from changing it; raises NotFound."""
        return await _one(connection, rows.by_id(presentations, lock=True), identifier)

    async def lock_by_code(self, connection: AsyncConnection, digest: bytes) -> Row:
        """Does the same by the digest of its code; raises PRESENTATION_CODE_INVALID."""
        row: Row | None = (await connection.execute(_BY_CODE, {rows.KEY: digest})).first()
        if row is None:
            raise code_invalid()
        return row


async def _one(connection: AsyncConnection, query: sa.Select[Any], identifier: str) -> Row:
    row: Row | None = (await connection.execute(query, {rows.KEY: identifier})).first()
    if row is None:
        raise not_found(f"presentations/{identifier}")
    return row
