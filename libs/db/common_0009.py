"""The ninth revision of the common tables: people are told who used their data, so the log is searched by whose data it was."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Applies this revision; what was recorded before names no subjects, and is not told of."""
    op.create_table(
        "data_uses",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("record_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Of whose data a record of the log tells: what people are shown as the uses of their data.",
    )
    op.create_index("data_uses_of_subject", "data_uses", ["subject", "record_time", "id"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("data_uses")
