"""The trust list in PostgreSQL."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from services.identity.core import schema, trust
from services.identity.core.client_rules import Keys
from services.identity.core.trust import (
    NOTHING,
    ListedCode,
    RegionState,
    RegionTrust,
    TrustDirection,
    TrustGrade,
    TrustState,
    TrustTerms,
)


def _way(direction: str) -> tuple[sa.Column[Any], ...]:
    """Where the trust stands one way, and what it covers."""
    return (
        sa.Column(f"{direction}_state", sa.Text, nullable=False),
        sa.Column(f"{direction}_max_assurance", sa.SmallInteger, nullable=False),
        sa.Column(f"{direction}_min_assurance", sa.SmallInteger, nullable=False),
        sa.Column(f"{direction}_actor_kinds", ARRAY(sa.Text), nullable=False),
        sa.Column(f"{direction}_grade", sa.Text, nullable=False, server_default=TrustGrade.FULL),
    )


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
    sa.Column("state", sa.Text, nullable=False),
    *_way("inbound"),
    *_way("outbound"),
    sa.Column("state_reason", sa.Text, nullable=False),
    columns.moment("activate_time"),
    sa.Column("state_time", sa.DateTime(timezone=True), nullable=False),
    schema.backers(),
    sa.Column("pending", sa.LargeBinary),
    columns.text("resuming"),
    schema.backers("resume_backers"),
    sa.Column("resuming_changes", sa.Boolean, nullable=False, server_default=sa.false()),
    columns.json("codes"),
    sa.Column("code_keys", JSONB, nullable=False, server_default="[]"),
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
        jwks, root_certificate, tls_authorities, code_keys: what is pinned for it; the last sign its personal codes.
        state, inbound_state, outbound_state: where the trust stands (``trust``).
        inbound_…, outbound_…: what it covers each way (``terms``).
        backers: who stands behind the trust, or behind the anchor in ``pending``, a RegionAnchor as bytes.
        resuming: the direction that somebody wants to open again, with ``resume_backers`` behind it; or empty.
        resuming_changes: whether they want more than reads to pass there again.
    """

    id: str
    display_name: str
    gateway_url: str
    issuer: str
    jwks: Keys
    root_certificate: bytes
    tls_authorities: bytes
    inbound_max_assurance: int
    outbound_max_assurance: int
    state: RegionState
    state_time: datetime
    create_time: datetime
    update_time: datetime
    codes: tuple[ListedCode, ...]
    inbound_state: TrustState = TrustState.CLOSED
    inbound_min_assurance: int = 0
    inbound_actor_kinds: frozenset[str] = frozenset()
    outbound_state: TrustState = TrustState.CLOSED
    outbound_min_assurance: int = 0
    outbound_actor_kinds: frozenset[str] = frozenset()
    state_reason: str = ""
    activate_time: datetime | None = None
    backers: tuple[str, ...] = ()
    pending: bytes | None = None
    resuming: str = ""
    resume_backers: tuple[str, ...] = ()
    code_keys: Keys = field(default_factory=list)
    inbound_grade: TrustGrade = TrustGrade.FULL
    outbound_grade: TrustGrade = TrustGrade.FULL
    resuming_changes: bool = False
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"regions/{self.id}"

    @property
    def trust(self) -> RegionTrust:
        """Where the trust stands."""
        reading = TrustDirection.INBOUND if self.inbound.reads_only else NOTHING
        reading |= TrustDirection.OUTBOUND if self.outbound.reads_only else NOTHING
        return RegionTrust(self.state, self.inbound_state, self.outbound_state, reading)

    @property
    def inbound(self) -> TrustTerms:
        """What passes from it, where that is open."""
        covers = (self.inbound_max_assurance, self.inbound_min_assurance, self.inbound_actor_kinds)
        return TrustTerms(TrustDirection.INBOUND, *covers, self.inbound_grade)

    @property
    def outbound(self) -> TrustTerms:
        """What passes to it, where that is open."""
        covers = (self.outbound_max_assurance, self.outbound_min_assurance, self.outbound_actor_kinds)
        return TrustTerms(TrustDirection.OUTBOUND, *covers, self.outbound_grade)


def standing(made: RegionTrust) -> dict[str, Any]:
    """Returns where a trust stands by the names of a region's columns."""
    return {
        "state": made.state,
        "inbound_state": made.inbound,
        "outbound_state": made.outbound,
        "inbound_grade": made.grade(TrustDirection.INBOUND),
        "outbound_grade": made.grade(TrustDirection.OUTBOUND),
    }


_BY_ID = Query(ListedRegion, "SELECT {columns} FROM regions WHERE id = :id")
_BY_IDS = Query(ListedRegion, "SELECT {columns} FROM regions WHERE id = ANY(CAST(:ids AS text[]))")


async def find_region(connection: DatabaseConnection, code: str) -> ListedRegion | None:
    """Reads the region with this id, or None where it never stood on the list."""
    return await _BY_ID.first(connection, id=code)


async def find_regions(connection: DatabaseConnection, codes: Collection[str]) -> dict[str, ListedRegion]:
    """Reads those of the regions with these ids that ever stood on the list."""
    return {each.id: each for each in await _BY_IDS.all(connection, ids=list(codes))}


async def require_trust(connection: DatabaseConnection, code: str, direction: TrustDirection) -> ListedRegion:
    """Reads a region that is trusted in ``direction`` now; raises PermissionDenied REGION_NOT_TRUSTED."""
    found = await find_region(connection, code)
    trust.require(code, found.trust if found else None, direction)
    assert found is not None
    return found
