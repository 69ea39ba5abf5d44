"""What a client's suspension ends, and mandates that may be used so many times."""

from alembic import op

from libs.db import columns

revision = "0030"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; nothing that was agreed to before it ends by it."""
    op.add_column("clients", columns.counted("suspensions"))
    for table in ("sign_in_grants", "device_authorizations", "authorization_requests"):
        op.add_column(table, columns.counted("client_suspensions"))


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("authorization_requests", "device_authorizations", "sign_in_grants"):
        op.drop_column(table, "client_suspensions")
    op.drop_column("clients", "suspensions")
