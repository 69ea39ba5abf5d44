"""Which human being received and accepted a case: separated duties are told apart by them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = ("received_human", "accepted_human")


def upgrade() -> None:
    """Applies this revision."""
    for name in _COLUMNS:
        op.add_column("cases", sa.Column(name, sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    for name in _COLUMNS:
        op.drop_column("cases", name)
