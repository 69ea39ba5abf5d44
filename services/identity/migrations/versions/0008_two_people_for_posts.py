"""Posts that make others able wait for a second human being, and so does trust that is taken up again."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("assignments", sa.Column("state", sa.Text(), nullable=False, server_default="HELD"))
    op.add_column("assignments", sa.Column("backers", ARRAY(sa.Text()), nullable=False, server_default="{}"))
    op.add_column("regions", sa.Column("resuming", sa.Text(), nullable=False, server_default=""))
    op.add_column("regions", sa.Column("resume_backers", ARRAY(sa.Text()), nullable=False, server_default="{}"))


def downgrade() -> None:
    """Takes this revision back: what waits was never held."""
    op.execute("DELETE FROM assignments WHERE state <> 'HELD'")
    for table, column in (
        ("assignments", "state"),
        ("assignments", "backers"),
        ("regions", "resuming"),
        ("regions", "resume_backers"),
    ):
        op.drop_column(table, column)
