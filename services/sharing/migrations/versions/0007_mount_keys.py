"""A mount knows the unique key of its table, by which pages go on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; the next check of a mount fills it, and until then pages go by whole rows."""
    op.add_column("mounts", sa.Column("key_columns", ARRAY(sa.Text()), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("mounts", "key_columns")
