"""What changes of the common tables after the first revision: a parked event says how often it was tried."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("parked_events", sa.Column("attempts", sa.Integer(), nullable=False, server_default="5"))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("parked_events", "attempts")
