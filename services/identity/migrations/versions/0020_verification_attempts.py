"""Checks that people take part in at verifiers."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "verification_attempts",
        columns.record_id(),
        columns.reference("person", "persons.id"),
        *columns.given("method", "verifier", "reference", "state"),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        *columns.life(),
        comment="Checks of real names that were started at verifiers; forgotten a day after their time is over.",
    )
    op.create_index("verification_attempts_person", "verification_attempts", ["person", "create_time"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("verification_attempts")
