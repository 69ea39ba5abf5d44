"""Reads and writes certificates and revocation lists."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.crypto.x509 import Certificate
from libs.db import rows
from libs.db.engine import Database, Row
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from services.seal.tables import certificates, crls

_NEWEST_OF_KEY = (
    sa.select(certificates)
    .where(certificates.c.kind == sa.bindparam("kind"), certificates.c.key_name == sa.bindparam("key_name"))
    .order_by(certificates.c.create_time.desc(), certificates.c.id.desc())
    .limit(1)
)
_REVOKED = certificates.c.revoke_time.is_not(None)
_NEWEST_CRL = (
    sa.select(
        sa.select(sa.func.count()).select_from(certificates).where(_REVOKED).scalar_subquery().label("wanted"),
        crls.c.number,
        crls.c.this_update,
        crls.c.next_update,
        crls.c.revoked,
    )
    .select_from(sa.select(sa.literal(1)).subquery().outerjoin(crls, sa.true()))
    .order_by(crls.c.number.desc().nulls_last())
    .limit(1)
)
_CRL = sa.select(crls.c.der).where(crls.c.number == sa.bindparam("number"))
_ALL_REVOKED = sa.select(
    certificates.c.serial_number,
    certificates.c.revoke_time,
    certificates.c.revocation_reason,
    certificates.c.invalidity_time,
).where(_REVOKED)
_REGISTER = postgresql.insert(certificates).on_conflict_do_nothing(index_elements=[certificates.c.serial_number])
_HOLD = rows.by_id(certificates).with_for_update(read=True)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")


def certificate_values(
    certificate: Certificate, kind: str, now: datetime, key_name: str = "", key_version: int = 0
) -> dict[str, Any]:
    """Returns the row of a new certificate; without a key where that is somebody else's."""
    return {
        "id": uuid7(),
        "serial_number": f"{certificate.serial_number:x}",
        "kind": kind,
        "der": certificate.der,
        "key_name": key_name,
        "key_version": key_version,
        "not_before_time": certificate.not_before,
        "not_after_time": certificate.not_after,
        "create_time": now,
        "update_time": now,
    }


class CertificateStore:
    """Certificates in PostgreSQL. Methods that take a connection belong to the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def certificate(self, identifier: str) -> Row:
        """Reads a certificate; raises NotFound."""
        async with self._database.read() as connection:
            return await self._one(connection, rows.by_id(certificates), identifier)

    async def lock(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a certificate and keeps others from changing it; raises NotFound."""
        return await self._one(connection, rows.by_id(certificates, lock=True), identifier)

    async def hold(self, connection: AsyncConnection, identifier: str) -> Row:
        """Reads a certificate and keeps it from being revoked until the transaction ends; raises NotFound."""
        return await self._one(connection, _HOLD, identifier)

    async def _one(self, connection: AsyncConnection, query: sa.Select[Any], identifier: str) -> Row:
        row: Row | None = (await connection.execute(query, {rows.KEY: identifier})).first()
        if row is None:
            raise not_found(f"certificates/{identifier}")
        return row

    async def newest_of_key(self, kind: str, key_name: str, connection: AsyncConnection | None = None) -> Row | None:
        """Reads the newest certificate of this kind on one of our keys."""
        parameters = {"kind": kind, "key_name": key_name}
        if connection is not None:
            return (await connection.execute(_NEWEST_OF_KEY, parameters)).first()
        async with self._database.read() as reading:
            return (await reading.execute(_NEWEST_OF_KEY, parameters)).first()

    async def register(self, connection: AsyncConnection, values: dict[str, Any]) -> None:
        """Inserts a certificate unless one with its serial number is there."""
        await connection.execute(_REGISTER, values)

    async def turn(self, connection: AsyncConnection, key: int) -> None:
        """Waits until no other transaction holds the turn of ``key``, and holds it to the end of this one."""
        await connection.execute(_LOCK, {"key": key})

    async def newest_crl(self, connection: AsyncConnection | None = None) -> Row:
        """Reads number, next update and length of the newest CRL (None without one), and the length it should have."""
        if connection is not None:
            return (await connection.execute(_NEWEST_CRL)).one()
        async with self._database.read() as reading:
            return (await reading.execute(_NEWEST_CRL)).one()

    async def crl(self, number: int) -> bytes:
        """Reads the DER of a CRL that is there."""
        async with self._database.read() as connection:
            return bytes((await connection.execute(_CRL, {"number": number})).scalar_one())

    async def revoked(self, connection: AsyncConnection) -> Sequence[Row]:
        """Reads serial number, time and reason of every revoked certificate."""
        return (await connection.execute(_ALL_REVOKED)).all()

    async def add_crl(self, connection: AsyncConnection, values: dict[str, Any]) -> None:
        """Inserts a CRL."""
        await connection.execute(sa.insert(crls), values)
