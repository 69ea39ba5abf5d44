"""The trust in a region may let only reads pass, each way by itself (decision 0089)."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision. The code that runs now writes none of the three: the defaults stay."""
    for way in ("inbound", "outbound"):
        op.add_column("regions", sa.Column(f"{way}_grade", sa.Text(), server_default="FULL", nullable=False))
    op.add_column("regions", sa.Column("resuming_changes", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    for column in ("inbound_grade", "outbound_grade", "resuming_changes"):
        op.drop_column("regions", column)
