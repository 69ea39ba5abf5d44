"""Who had a seal made and keeps it, to tell them from its users."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("seals", sa.Column("kept_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("seals", sa.Column("kept_human", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("seals", "kept_human")
    op.drop_column("seals", "kept_by")
