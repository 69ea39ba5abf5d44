"""What the owners of clients call the levels of assurance."""

from alembic import op

from libs.db import columns

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("clients", columns.texts("assurance_names", empty=True))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("clients", "assurance_names")
