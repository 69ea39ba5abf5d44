"""The sixth revision of the common tables: parked events are listed in the order in which they were set aside."""

from alembic import op


def upgrade() -> None:
    """Applies this revision."""
    op.create_index("parked_events_time", "parked_events", ["consumer", "park_time", "id"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("parked_events_time", "parked_events")
