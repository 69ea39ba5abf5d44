"""The second revision of the common tables: a stored answer names the record of its call, so that a repeat gets its receipt."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Applies this revision."""
    record = sa.Column("record", sa.Text(), server_default=sa.text("''::text"), nullable=False)
    op.add_column("idempotency", record)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("idempotency", "record")
