"""Every list is filtered, along an index in each of its orders."""

from libs.db import common_0006

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0006.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0006.downgrade()
