"""Every list is filtered, along an index in each of its orders."""

import sqlalchemy as sa
from alembic import op

from libs.db import common_0006

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0006.upgrade()
    op.create_index(
        "transfer_messages_kept_of",
        "transfer_messages",
        ["peer_region", "create_time", "id"],
        postgresql_where=sa.text("incoming AND state <> 'APPLIED'"),
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("transfer_messages_kept_of", "transfer_messages")
    common_0006.downgrade()
