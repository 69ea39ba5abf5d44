"""Who handles a case beside the deciding department, and the files that the case refers to."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BEFORE = "What the cases service told of cases: who may read what of whom by law."
_AFTER = "What the cases service told of cases: who may read what of whom for them."


def upgrade() -> None:
    """Applies this revision."""
    for name in ("handlers", "materials"):
        op.add_column(
            "handled_cases", sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}")
        )
    op.execute("UPDATE handled_cases SET handlers = ARRAY[department]")
    op.create_table_comment("handled_cases", _AFTER, existing_comment=_BEFORE)


def downgrade() -> None:
    """Takes this revision back."""
    op.create_table_comment("handled_cases", _BEFORE, existing_comment=_AFTER)
    for name in ("materials", "handlers"):
        op.drop_column("handled_cases", name)
