"""The sharing service goes on with work that takes longer than a call."""

from libs.db import common_0005

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0005.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0005.downgrade()
