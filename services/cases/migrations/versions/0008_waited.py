"""How long a message to another region has waited is added up from try to try.

Messages that wait already begin anew: what one clock says of them now proves nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("transfer_messages", sa.Column("waited_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "transfer_messages",
        sa.Column("waited", sa.Interval(), server_default=sa.text("'0'::interval"), nullable=False),
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("transfer_messages", "waited")
    op.drop_column("transfer_messages", "waited_until")
