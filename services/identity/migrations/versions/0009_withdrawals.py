"""What no longer stands behind tokens that were given before."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "withdrawals",
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("change_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restore_time", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("party"),
        comment="What no longer stands behind tokens; kept for as long as a token could outlive it.",
    )
    op.create_index("withdrawals_change", "withdrawals", ["change_time"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("withdrawals")
