"""The third revision of the tables that every service has: what sweeps found undone."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "retries",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("task", "key"),
        comment="What sweeps found undone, when they saw it first and when they try again; by the database's own clock.",
    )
    op.create_index("retries_due", "retries", ["task", "next_attempt"], unique=False)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("retries")
