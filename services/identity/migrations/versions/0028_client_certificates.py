"""Certificates by which clients prove who they are."""

from alembic import op

from libs.db import columns

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    for name in ("certificates", "old_certificates"):
        op.add_column("clients", columns.none_yet(name))


def downgrade() -> None:
    """Takes this revision back."""
    for name in ("old_certificates", "certificates"):
        op.drop_column("clients", name)
