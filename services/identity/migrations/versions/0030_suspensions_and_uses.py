"""What a client's suspension ends, and mandates that may be used so many times."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0030"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision; nothing that was agreed to before it ends by it."""
    op.add_column("clients", columns.counted("suspensions"))
    # What waited before says nothing of where people are sent back to: it is not to take that away when it is approved.
    op.execute(
        """UPDATE clients SET pending_terms = pending_terms || jsonb_build_object(
          'redirect_uris', to_jsonb(redirect_uris), 'post_logout_redirect_uris', to_jsonb(post_logout_redirect_uris))
        WHERE jsonb_typeof(pending_terms) = 'object'"""
    )
    for table in ("sign_in_grants", "device_authorizations", "authorization_requests"):
        op.add_column(table, columns.counted("client_suspensions"))
    for name in ("max_uses", "uses"):
        op.add_column("mandates", columns.counted(name))
    op.create_table(
        "mandate_uses",
        sa.Column("mandate", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("token", sa.Text, primary_key=True),
        columns.moment("use_time", nullable=False),
        comment="By which tokens of their agents mandates were used that may be used so many times; for as long as such a token lives.",
    )
    op.create_index("mandate_uses_time", "mandate_uses", ["use_time"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("mandate_uses")
    for name in ("uses", "max_uses"):
        op.drop_column("mandates", name)
    for table in ("authorization_requests", "device_authorizations", "sign_in_grants"):
        op.drop_column(table, "client_suspensions")
    op.drop_column("clients", "suspensions")
