"""The tables that every service has."""

from libs.db import common_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0001.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0001.downgrade()
