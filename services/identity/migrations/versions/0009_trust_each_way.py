"""The trust stands and covers each way by itself (decision 0059)."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_WAYS = """UPDATE regions SET
    inbound_state = CASE state WHEN 'ACTIVE' THEN 'OPEN' WHEN 'OUTBOUND_SUSPENDED' THEN 'OPEN'
        WHEN 'PROPOSED' THEN 'CLOSED' WHEN 'ENDED' THEN 'CLOSED' ELSE 'SUSPENDED' END,
    outbound_state = CASE state WHEN 'ACTIVE' THEN 'OPEN' WHEN 'INBOUND_SUSPENDED' THEN 'OPEN'
        WHEN 'PROPOSED' THEN 'CLOSED' WHEN 'ENDED' THEN 'CLOSED' ELSE 'SUSPENDED' END,
    state = CASE WHEN state IN ('PROPOSED', 'ENDED') THEN state ELSE 'ACTIVE' END"""
_ONE = """UPDATE regions SET state = CASE
    WHEN state <> 'ACTIVE' OR (inbound_state = 'OPEN' AND outbound_state = 'OPEN') THEN state
    WHEN inbound_state = 'OPEN' THEN 'OUTBOUND_SUSPENDED'
    WHEN outbound_state = 'OPEN' THEN 'INBOUND_SUSPENDED' ELSE 'SUSPENDED' END"""


def _columns(direction: str) -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column(f"{direction}_state", sa.Text(), server_default="CLOSED", nullable=False),
        sa.Column(f"{direction}_min_assurance", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(f"{direction}_actor_kinds", ARRAY(sa.Text()), server_default="{}", nullable=False),
    )


def upgrade() -> None:
    """Applies this revision: what was believed of a region up to a level is so inbound; all is told outbound."""
    op.alter_column("regions", "max_assurance", new_column_name="inbound_max_assurance")
    most = sa.Column("outbound_max_assurance", sa.SmallInteger(), server_default="4", nullable=False)
    for column in (most, *_columns("inbound"), *_columns("outbound")):
        op.add_column("regions", column)
    op.execute(_WAYS)
    for column in (most, *_columns("inbound"), *_columns("outbound")):
        op.alter_column("regions", column.name, server_default=None)


def downgrade() -> None:
    """Takes this revision back."""
    op.execute(_ONE)
    for column in ("outbound_max_assurance", *(each.name for way in ("inbound", "outbound") for each in _columns(way))):
        op.drop_column("regions", column)
    op.alter_column("regions", "inbound_max_assurance", new_column_name="max_assurance")
