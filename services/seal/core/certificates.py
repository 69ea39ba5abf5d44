"""Certificates of the region's authority in PostgreSQL: the table, its record, and what several features do with it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from libs.crypto.x509 import Certificate
from libs.db import columns
from libs.db.change import Addition
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.db.uow import Transaction
from libs.errors import not_found
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.seal.core import schema
from tongban.seal.v1 import events_pb2 as events
from tongban.seal.v1 import resources_pb2 as pb

CERTIFICATE_KINDS, REVOCATION_REASONS = Names(pb.CertificateKind), Names(pb.RevocationReason)

certificates = sa.Table(
    "certificates",
    schema.METADATA,
    columns.record_id(),
    sa.Column("serial_number", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    sa.Column("key_name", sa.Text, nullable=False),
    sa.Column("key_version", sa.Integer, nullable=False),
    columns.moment("not_before_time", nullable=False),
    columns.moment("not_after_time", nullable=False),
    columns.moment("revoke_time"),
    sa.Column("revocation_reason", sa.Text),
    columns.moment("invalidity_time"),
    *columns.life(),
    sa.Index("certificates_kind", "kind", "create_time"),
    sa.Index("certificates_revoked", "revoke_time", postgresql_where=sa.text("revoke_time IS NOT NULL")),
    comment="SM2 certificates of the region's authority; key_name is empty where the key is somebody else's.",
)


class CertificateState(StrEnum):
    """Whether a certificate holds."""

    VALID = "VALID"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@of(certificates)
@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate; ``key_name`` is empty where the key is somebody else's."""

    id: str
    serial_number: str
    kind: str
    der: bytes
    key_name: str
    key_version: int
    not_before_time: datetime
    not_after_time: datetime
    create_time: datetime
    update_time: datetime
    revoke_time: datetime | None = None
    revocation_reason: str | None = None
    invalidity_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"certificates/{self.id}"

    def state_at(self, now: datetime) -> CertificateState:
        """Returns whether it holds: REVOKED comes before EXPIRED."""
        if self.revoke_time is not None:
            return CertificateState.REVOKED
        return CertificateState.EXPIRED if now > self.not_after_time else CertificateState.VALID


@of(certificates)
@dataclass(frozen=True, slots=True)
class _KnownCertificate:
    id: str


def new_certificate(
    certificate: Certificate, kind: str, now: datetime, key_name: str = "", key_version: int = 0
) -> IssuedCertificate:
    """Returns the record of a new certificate; without a key where that is somebody else's."""
    return IssuedCertificate(
        id=uuid7(),
        serial_number=f"{certificate.serial_number:x}",
        kind=kind,
        der=certificate.der,
        key_name=key_name,
        key_version=key_version,
        not_before_time=certificate.not_before,
        not_after_time=certificate.not_after,
        create_time=now,
        update_time=now,
    )


ADD = Addition(IssuedCertificate)
_BY_ID = "SELECT {columns} FROM certificates WHERE id = CAST(:id AS uuid)"
_READ, _LOCK = Query(IssuedCertificate, _BY_ID), Query(IssuedCertificate, f"{_BY_ID} FOR UPDATE")
_HOLD = Query(IssuedCertificate, f"{_BY_ID} FOR SHARE")
_NEWEST = Query(
    IssuedCertificate,
    """
SELECT {columns} FROM certificates WHERE kind = :kind AND key_name = :key_name
ORDER BY create_time DESC, id DESC LIMIT 1
""",
)
_REGISTER = Query(
    _KnownCertificate,
    """
INSERT INTO certificates (id, serial_number, kind, der, key_name, key_version, not_before_time, not_after_time, create_time,
  update_time)
VALUES (CAST(:id AS uuid), :serial_number, :kind, :der, '', 0, :not_before_time, :not_after_time, :now, :now)
ON CONFLICT (serial_number) DO NOTHING RETURNING {columns}
""",
)


async def read(connection: DatabaseConnection, name: str) -> IssuedCertificate:
    """Reads a certificate by its name; raises NotFound."""
    return await _one(_READ, connection, name)


async def lock(connection: DatabaseConnection, name: str) -> IssuedCertificate:
    """Reads a certificate and keeps others from changing it; raises NotFound."""
    return await _one(_LOCK, connection, name)


async def hold(connection: DatabaseConnection, name: str) -> IssuedCertificate:
    """Reads a certificate and keeps it from being revoked until the transaction ends; raises NotFound."""
    return await _one(_HOLD, connection, name)


async def _one(query: Query[IssuedCertificate], connection: DatabaseConnection, name: str) -> IssuedCertificate:
    found = await query.first(connection, id=name.removeprefix("certificates/"))
    if found is None:
        raise not_found(name)
    return found


async def newest(connection: DatabaseConnection, kind: str, key_name: str) -> IssuedCertificate | None:
    """Reads the newest certificate of this kind on one of our keys."""
    return await _NEWEST.first(connection, kind=kind, key_name=key_name)


async def register(connection: DatabaseConnection, certificate: Certificate, kind: str, now: datetime) -> None:
    """Adds a certificate that was made elsewhere, unless one with its serial number is there."""
    made = new_certificate(certificate, kind, now)
    await _REGISTER.first(
        connection,
        id=made.id,
        serial_number=made.serial_number,
        kind=kind,
        der=made.der,
        not_before_time=made.not_before_time,
        not_after_time=made.not_after_time,
        now=now,
    )


def tell_certified(tx: Transaction, issued: IssuedCertificate) -> None:
    """Tells that a certificate was issued."""
    tx.emit(
        issued.name,
        events.CertificateIssued(
            certificate=issued.name,
            serial_number=issued.serial_number,
            issue_time=timestamp(tx.now),
            kind=CERTIFICATE_KINDS.number(issued.kind),
        ),
    )
