"""The sharing service takes uploads."""

from libs.db import common_0003

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0003.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0003.downgrade()
