"""Events are numbered, and the public ones can be fetched."""

from libs.db import common_0007

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0007.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0007.downgrade()
