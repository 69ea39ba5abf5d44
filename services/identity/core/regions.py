"""The trust list in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema, trust
from services.identity.core.client_rules import Keys
from services.identity.core.trust import ListedCode, RegionState, TrustDirection

regions = sa.Table(
    "regions",
    schema.METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("gateway_url", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("jwks", JSONB, nullable=False),
    sa.Column("root_certificate", sa.LargeBinary, nullable=False),
    sa.Column("tls_authorities", sa.LargeBinary, nullable=False),
    sa.Column("max_assurance", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_reason", sa.Text, nullable=False),
    columns.moment("activate_time"),
    sa.Column("state_time", sa.DateTime(timezone=True), nullable=False),
    schema.backers(),
    sa.Column("pending", sa.LargeBinary),
    columns.text("resuming"),
    schema.backers("resume_backers"),
    columns.json("codes"),
    *columns.life(),
    sa.Index("regions_issuer", "issuer", unique=True, postgresql_where=sa.text("state <> 'ENDED'")),
    comment="The trust list: other regions and the keys pinned for them.",
)


@of(regions)
@dataclass(frozen=True, slots=True)
class ListedRegion:
    """A region of the trust list.

    Attributes:
        id: its id in the federation.
        codes: its codes in GB/T 2260, the oldest first.
        jwks, root_certificate, tls_authorities: what is pinned for it.
        max_assurance: the highest assurance that is believed from it.
        backers: who stands behind the trust, or behind the anchor in ``pending``, a RegionAnchor as bytes.
        resuming: the direction that somebody wants to open again, with ``resume_backers`` behind it; or empty.
    """

    id: str
    display_name: str
    gateway_url: str
    issuer: str
    jwks: Keys
    root_certificate: bytes
    tls_authorities: bytes
    max_assurance: int
    state: RegionState
    state_time: datetime
    create_time: datetime
    update_time: datetime
    codes: tuple[ListedCode, ...]
    state_reason: str = ""
    activate_time: datetime | None = None
    backers: tuple[str, ...] = ()
    pending: bytes | None = None
    resuming: str = ""
    resume_backers: tuple[str, ...] = ()
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"regions/{self.id}"


_BY_ID = Query(ListedRegion, "SELECT {columns} FROM regions WHERE id = :id")


async def find_region(connection: DatabaseConnection, code: str) -> ListedRegion | None:
    """Reads the region with this id, or None where it never stood on the list."""
    return await _BY_ID.first(connection, id=code)


async def require_trust(connection: DatabaseConnection, code: str, direction: TrustDirection) -> ListedRegion:
    """Reads a region that is trusted in ``direction`` now; raises PermissionDenied REGION_NOT_TRUSTED."""
    found = await find_region(connection, code)
    trust.require(code, found.state if found else None, direction)
    assert found is not None
    return found
