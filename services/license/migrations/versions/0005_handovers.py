"""Voided drafts are found by their case: whoever asks again hears again what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_index(
        "licenses_voided_case",
        "licenses",
        ["case_name", "license_type", "id"],
        unique=False,
        postgresql_where=sa.text("case_name <> '' AND state = 'VOIDED'"),
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("licenses_voided_case", table_name="licenses")
