"""Who people of other regions are, by the word of their regions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "asserted_identities",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        comment="Who other regions last said that their people and organisations are; sealed holds name and document.",
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("asserted_identities")
