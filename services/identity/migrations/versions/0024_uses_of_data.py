"""People are told who used their data."""

from libs.db import common_0009

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0009.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0009.downgrade()
