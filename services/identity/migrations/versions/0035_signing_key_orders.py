"""What people ordered of signing keys."""

from alembic import op

from libs.db import columns

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "signing_key_orders",
        columns.record_id(),
        *columns.given("purpose", "kid", "kind", "reason"),
        columns.moment("create_time", nullable=False),
        comment="Which key signs from when on, and which never again, as people ordered; the key store follows.",
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("signing_key_orders")
