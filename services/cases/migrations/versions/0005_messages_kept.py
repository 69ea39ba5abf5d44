"""Messages between regions keep their numbers, and are kept where they are not understood."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_COMMENT = "Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED, ENDED; incoming: {}."
_ON_TRANSFERS = ("not_understood", "sent_not_understood")
_ON_MESSAGES = ("previous", "claims", "release", "edition", "doubts")


def upgrade() -> None:
    """Applies this revision."""
    for name in _ON_TRANSFERS:
        op.add_column("transfers", columns.counted(name))
    op.drop_column("transfers", "acknowledgement")
    op.add_column("transfer_messages", columns.counted("previous"))
    op.add_column("transfer_messages", columns.binary("claims", nullable=True))
    op.add_column("transfer_messages", columns.text("release"))
    op.add_column("transfer_messages", columns.text("edition"))
    op.add_column("transfer_messages", columns.texts("doubts", empty=True))
    kept = sa.text("incoming AND state <> 'APPLIED'")
    op.create_index("transfer_messages_kept", "transfer_messages", ["create_time", "id"], postgresql_where=kept)
    op.create_table_comment("transfer_messages", _COMMENT.format("IncomingState"))


def downgrade() -> None:
    """Takes this revision back."""
    op.create_table_comment("transfer_messages", _COMMENT.format("HELD, APPLIED"))
    op.drop_index("transfer_messages_kept", "transfer_messages")
    for name in reversed(_ON_MESSAGES):
        op.drop_column("transfer_messages", name)
    op.add_column("transfers", columns.binary("acknowledgement", nullable=True))
    for name in reversed(_ON_TRANSFERS):
        op.drop_column("transfers", name)
