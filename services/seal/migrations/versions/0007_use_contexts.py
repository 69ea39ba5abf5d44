"""A use of a seal keeps what it was for in columns: the purpose's code, the item, the kind of basis and the basis."""

from alembic import op

from libs.db import columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMES = ("purpose_code", "service_item", "basis_kind", "named_basis")


def upgrade() -> None:
    """Applies this revision."""
    for name in _NAMES:
        op.add_column("sealing_batches", columns.text(name))


def downgrade() -> None:
    """Takes this revision back."""
    for name in reversed(_NAMES):
        op.drop_column("sealing_batches", name)
