"""A consent names its purpose by a code."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("consents", sa.Column("purpose_code", sa.Text(), nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("consents", "purpose_code")
