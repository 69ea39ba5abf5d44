"""What lets another speak for people takes two: who stands behind it, and what waits for the second."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    for table in ("clients", "regions"):
        op.add_column(table, sa.Column("backers", ARRAY(sa.Text()), nullable=False, server_default="{}"))
    op.add_column("clients", sa.Column("pending", JSONB(none_as_null=True), nullable=True))
    op.add_column("regions", sa.Column("pending", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("clients", "regions"):
        op.drop_column(table, "pending")
        op.drop_column(table, "backers")
