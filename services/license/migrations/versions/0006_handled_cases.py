"""The cases that departments work on, as their events tell: a use by law names one of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "handled_cases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("parties", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("type_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="What the cases service told of cases: who may read what of whom by law.",
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("handled_cases")
