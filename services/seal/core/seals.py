"""Seals in PostgreSQL: the table, its records, and what several features read of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import not_found
from services.seal.core import schema
from services.seal.core.seal_rules import SealFacts, SealKind, SealRank, SealState, SealUser, User

Record = TypeVar("Record")

seals = sa.Table(
    "seals",
    schema.METADATA,
    columns.record_id(),
    sa.Column("seal_id", sa.Text, nullable=False, unique=True),
    sa.Column("seal_code", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rank", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("owner_uscc", sa.Text, nullable=False),
    sa.Column("arc_text", sa.Text, nullable=False),
    sa.Column("bottom_text", sa.Text, nullable=False),
    sa.Column("diameter_mm", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    columns.moment("valid_from_time", nullable=False),
    columns.moment("valid_until_time", nullable=False),
    # The earlier end of the two certificates; neither ever changes.
    columns.moment("certified_until_time", nullable=False),
    sa.Column("users", JSONB, nullable=False),
    # Who had it made and keeps it: the staff or machine, and the human being that the staff are.
    sa.Column("kept_by", sa.Text, nullable=False, server_default=""),
    sa.Column("kept_human", sa.Text, nullable=False, server_default=""),
    columns.reference("certificate", "certificates.id"),
    columns.reference("maker_certificate", "certificates.id"),
    sa.Column("structure", sa.LargeBinary, nullable=False),
    sa.Column("svg", sa.LargeBinary, nullable=False),
    columns.moment("make_time", nullable=False),
    columns.moment("revoke_time"),
    sa.Column("revoke_reason", sa.Text),
    *columns.life(),
    sa.Index("seals_created", "create_time", "id"),
    sa.Index("seals_of_owner", "owner", "create_time", "id"),
    comment="E-seals; the structure is the signed SESeal (GB/T 38540-2020).",
)


@of(seals)
@dataclass(frozen=True, slots=True)
class Seal:
    """A seal without its structure and its picture, which are most of its bytes."""

    id: str
    seal_id: str
    seal_code: str
    display_name: str
    kind: SealKind
    rank: SealRank
    owner: str
    owner_uscc: str
    arc_text: str
    bottom_text: str
    diameter_mm: int
    state: SealState
    valid_from_time: datetime
    valid_until_time: datetime
    certified_until_time: datetime
    users: tuple[SealUser, ...]
    kept_by: str
    kept_human: str
    certificate: str
    maker_certificate: str
    make_time: datetime
    create_time: datetime
    update_time: datetime
    revoke_time: datetime | None = None
    revoke_reason: str | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"seals/{self.id}"

    @property
    def facts(self) -> SealFacts:
        """What decides about its use."""
        return SealFacts(
            self.name,
            self.state,
            self.valid_from_time,
            self.valid_until_time,
            self.users,
            self.certified_until_time,
            User(self.kept_by, self.kept_human),
        )


@of(seals)
@dataclass(frozen=True, slots=True)
class WholeSeal(Seal):
    """A seal with its signed structure (SESeal, DER) and its picture in paths."""

    structure: bytes = b""
    svg: bytes = b""


_WHOLE = Query(WholeSeal, "SELECT {columns} FROM seals WHERE id = CAST(:id AS uuid)")
_LOCK = Query(Seal, "SELECT {columns} FROM seals WHERE id = CAST(:id AS uuid) FOR UPDATE")
_HANGING = Query(
    Seal,
    """
SELECT {columns} FROM seals
WHERE CAST(:certificate AS uuid) IN (certificate, maker_certificate)
  AND state IN ('ACTIVE', 'FROZEN') AND LEAST(valid_until_time, certified_until_time) >= :now
ORDER BY id FOR UPDATE
""",
)


async def read(connection: DatabaseConnection, name: str) -> WholeSeal:
    """Reads a seal by its name; raises NotFound."""
    return found(await _WHOLE.first(connection, id=seal_key(name)), name)


async def lock(connection: DatabaseConnection, name: str) -> Seal:
    """Reads a seal and keeps others from using or changing it; raises NotFound."""
    return found(await _LOCK.first(connection, id=seal_key(name)), name)


async def lock_hanging(connection: DatabaseConnection, certificate: str, now: datetime) -> list[Seal]:
    """Reads and locks the seals in force that this certificate signs with, or whose maker it certifies."""
    return await _HANGING.all(connection, certificate=certificate.removeprefix("certificates/"), now=now)


def seal_key(name: str) -> str:
    """Returns the id in a seal's name."""
    return name.removeprefix("seals/")


def found(record: Record | None, name: str) -> Record:
    """Returns what was found; raises NotFound where nothing was."""
    if record is None:
        raise not_found(name)
    return record
