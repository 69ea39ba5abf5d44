"""Substitutions: who stands in for whom, in which posts and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "substitutions",
        columns.record_id(),
        columns.reference("represented", "staff.id"),
        columns.reference("substitute", "staff.id"),
        columns.reference("department", "departments.id"),
        columns.texts("posts"),
        columns.moment("begin_time", nullable=False),
        columns.moment("expire_time", nullable=False),
        *columns.given("state"),
        sa.Column("backers", ARRAY(sa.Text), nullable=False, server_default="{}"),
        columns.moment("revoke_time"),
        *columns.life(),
        comment="Who stands in for whom, in which posts; the state EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("substitutions_end", "substitutions", ["expire_time", "id"])
    op.create_index("substitutions_of_represented", "substitutions", ["represented", "expire_time", "id"])
    op.create_index("substitutions_of_substitute", "substitutions", ["substitute", "expire_time", "id"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("substitutions")
