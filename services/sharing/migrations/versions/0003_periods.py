"""a request keeps how long its periods are, not the days on which they end

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("requests", sa.Column("answer_days", sa.SmallInteger(), nullable=True))
    op.add_column("requests", sa.Column("supply_days", sa.SmallInteger(), nullable=True))
    # The limits that held while the days themselves were stored.
    op.execute("""
        UPDATE requests SET supply_days = CASE WHEN supply_due_date IS NULL THEN NULL ELSE 20 END,
          answer_days = CASE WHEN answer_due_date IS NULL THEN NULL
            WHEN (SELECT sharing_class FROM resources WHERE id = requests.resource_id) = 'UNCONDITIONAL' THEN 1 ELSE 10 END
    """)
    op.drop_column("requests", "answer_due_date")
    op.drop_column("requests", "supply_due_date")


def downgrade() -> None:
    """Takes it back; the days are derived anew by the next revision."""
    op.add_column("requests", sa.Column("supply_due_date", sa.Date(), nullable=True))
    op.add_column("requests", sa.Column("answer_due_date", sa.Date(), nullable=True))
    op.drop_column("requests", "supply_days")
    op.drop_column("requests", "answer_days")
