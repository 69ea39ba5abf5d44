"""Which human beings asked for and reviewed a request: separation is told by them, not by their records."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("applicant_human", "pre_reviewer_human", "reviewer_human")


def upgrade() -> None:
    """Applies this revision."""
    for name in _COLUMNS:
        op.add_column("requests", sa.Column(name, sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    for name in _COLUMNS:
        op.drop_column("requests", name)
