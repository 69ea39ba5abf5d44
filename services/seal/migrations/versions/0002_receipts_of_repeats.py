"""A stored answer names the record of its call: a repeat gets the receipt of the first."""

from libs.db import common_0002

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0002.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0002.downgrade()
