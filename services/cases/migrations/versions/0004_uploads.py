"""The cases service takes uploads."""

from libs.db import common_0003

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0003.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0003.downgrade()
