"""Tokens that only their holder can use: which clients get no others, and to which key a sign-in is bound."""

from alembic import op

from libs.db import columns

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("clients", columns.text("sender_constraint"))
    op.add_column("sign_in_grants", columns.text("bound_key"))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("sign_in_grants", "bound_key")
    op.drop_column("clients", "sender_constraint")
