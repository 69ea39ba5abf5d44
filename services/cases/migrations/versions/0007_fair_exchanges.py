"""Messages to other regions take turns by region, say why they wait, and end."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'PENDING'")
_COMMENT = "Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED{}; incoming: HELD, APPLIED."


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("transfers", sa.Column("waiting_reason", sa.Text(), server_default="", nullable=False))
    op.add_column("transfers", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "transfers_unanswered",
        "transfers",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'RECEIVED' AND direction = 'OUTBOUND'"),
    )
    op.add_column("transfer_messages", sa.Column("waiting_since", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("transfer_messages_due", table_name="transfer_messages")
    op.create_index(
        "transfer_messages_pending",
        "transfer_messages",
        ["peer_region", "exchange_id", "direction", "sequence"],
        unique=False,
        postgresql_where=_PENDING,
    )
    op.create_table_comment("transfer_messages", _COMMENT.format(", ENDED"), existing_comment=_COMMENT.format(""))


def downgrade() -> None:
    """Takes this revision back."""
    op.create_table_comment("transfer_messages", _COMMENT.format(""), existing_comment=_COMMENT.format(", ENDED"))
    op.drop_index("transfer_messages_pending", table_name="transfer_messages")
    op.create_index("transfer_messages_due", "transfer_messages", ["next_attempt"], postgresql_where=_PENDING)
    op.drop_column("transfer_messages", "waiting_since")
    op.drop_index("transfers_unanswered", table_name="transfers")
    op.drop_column("transfers", "waiting_since")
    op.drop_column("transfers", "waiting_reason")
