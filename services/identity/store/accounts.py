"""Reads and writes accounts of persons and organisations."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from services.identity.store.reading import first, one
from services.identity.tables import departments, organizations, persons, verifications

_PERSON_BY_DOCUMENT = sa.select(persons).where(
    persons.c.document_index == sa.bindparam(rows.KEY), persons.c.state == "ACTIVE"
)
_ORGANIZATION_BY_USCC = sa.select(organizations).where(organizations.c.uscc == sa.bindparam(rows.KEY))
_RECENT_FAILURES: sa.Select[*tuple[Any, ...]] = sa.select(
    sa.func.count(), sa.func.min(verifications.c.verify_time)
).where(
    verifications.c.person == sa.bindparam(rows.KEY),
    verifications.c.outcome == "FAILED",
    verifications.c.verify_time > sa.bindparam("since"),
    # What lies further ahead than the span itself was written by a clock that was ahead; it must not lock anybody out.
    verifications.c.verify_time < sa.bindparam("until"),
)


class AccountStore:
    """Accounts in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def person(self, name: str) -> Row:
        """Reads a person; raises NotFound."""
        async with self._database.read() as connection:
            return await one(connection, persons, name)

    async def person_by_document(self, index: bytes) -> Row:
        """Reads the living account on the document with this blind index; raises NotFound."""
        return await self._by(_PERSON_BY_DOCUMENT, index, "persons")

    async def organization(self, name: str) -> Row:
        """Reads an organisation; raises NotFound."""
        async with self._database.read() as connection:
            return await one(connection, organizations, name)

    async def department(self, name: str) -> Row:
        """Reads a department, which is an organisation of the region's own; raises NotFound."""
        async with self._database.read() as connection:
            return await one(connection, departments, name)

    async def organization_by_uscc(self, uscc: str) -> Row:
        """Reads the organisation with this unified social credit code; raises NotFound."""
        return await self._by(_ORGANIZATION_BY_USCC, uscc, "organizations")

    async def _by(self, query: sa.Select[Any], key: str | bytes, name: str) -> Row:
        async with self._database.read() as connection:
            row = await first(connection, query, **{rows.KEY: key})
        if row is None:
            raise not_found(name)
        return row

    async def recent_failures(self, connection: AsyncConnection, person: str, now: datetime, within: timedelta) -> Row:
        """Counts the failed checks of a person's name within a span of ``now``, and tells when the first of them was."""
        values = {rows.KEY: person, "since": now - within, "until": now + within}
        row = await first(connection, _RECENT_FAILURES, **values)
        assert row is not None
        return row
