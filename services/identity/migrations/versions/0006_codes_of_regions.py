"""A region of the trust list has codes in GB/T 2260, dated; its id says nothing (decision 0044)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OF_THE_ID = """UPDATE regions SET codes = jsonb_build_array(jsonb_build_object('code', id, 'begin', '', 'end', ''))
WHERE id ~ '^[0-9]{6}$'"""


def upgrade() -> None:
    """Applies this revision: whoever was named by a code has it."""
    op.add_column("regions", sa.Column("codes", JSONB(), server_default="[]", nullable=False))
    op.execute(_OF_THE_ID)
    op.alter_column("regions", "codes", server_default=None)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("regions", "codes")
