"""The log is searched by who did it and when."""

from libs.db import common_0004

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0004.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0004.downgrade()
