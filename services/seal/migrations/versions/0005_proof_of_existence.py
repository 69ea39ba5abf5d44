"""A sealing is found by the bytes that were signed; since when a revoked key may have been in other hands."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_index("sealings_digest", "sealings", ["digest"], unique=False, postgresql_using="hash")
    op.add_column("certificates", sa.Column("invalidity_time", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("certificates", "invalidity_time")
    op.drop_index("sealings_digest", table_name="sealings", postgresql_using="hash")
