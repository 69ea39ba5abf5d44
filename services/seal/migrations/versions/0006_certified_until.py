"""Until when the certificates of a seal hold: past it the seal is expired, whatever its own period says."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("seals", sa.Column("certified_until_time", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE seals SET certified_until_time = least(c.not_after_time, m.not_after_time)"
        " FROM certificates c, certificates m WHERE c.id = seals.certificate AND m.id = seals.maker_certificate"
    )
    op.alter_column("seals", "certified_until_time", nullable=False)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("seals", "certified_until_time")
