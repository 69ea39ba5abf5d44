"""Clients that sign each of their requests."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; a client that was made before may sign, and need not."""
    op.add_column("clients", sa.Column("signs", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("clients", "signs")
