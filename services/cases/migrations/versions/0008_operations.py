"""The cases service goes on with work that takes longer than a call."""

from libs.db import common_0005

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0005.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0005.downgrade()
