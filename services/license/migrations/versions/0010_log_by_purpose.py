"""The log is searched by what a use was for."""

from libs.db import common_0008

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0008.upgrade()


def downgrade() -> None:
    """Takes this revision back."""
    common_0008.downgrade()
