"""Clients have an environment, ranges of addresses, an end and an applicant."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("environment", sa.Text(), server_default="PRODUCTION", nullable=False),
        sa.Column("ip_ranges", ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True)),
        sa.Column("expiry_notice", sa.SmallInteger()),
        sa.Column("rotate_time", sa.DateTime(timezone=True)),
        sa.Column("pending_terms", JSONB()),
        sa.Column("request_note", sa.Text(), server_default="", nullable=False),
        sa.Column("applicant", sa.Text(), server_default="", nullable=False),
        sa.Column("refuse_reason", sa.Text(), server_default="", nullable=False),
    )


def upgrade() -> None:
    """Applies this revision; a client that was made before calls from anywhere, for ever."""
    for column in _columns():
        op.add_column("clients", column)
    op.create_index("clients_of_owner", "clients", ["owner", "id"])
    op.create_index("clients_expiring", "clients", ["expire_time"], postgresql_where=sa.text("expire_time IS NOT NULL"))


def downgrade() -> None:
    """Takes this revision back; what was refused stays without tokens."""
    op.execute("UPDATE clients SET state = 'SUSPENDED' WHERE state = 'REFUSED'")
    op.drop_index("clients_expiring", "clients")
    op.drop_index("clients_of_owner", "clients")
    for column in _columns():
        op.drop_column("clients", column.name)
