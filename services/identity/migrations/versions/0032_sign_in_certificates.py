"""People sign in by certificates."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_KEYS_BEFORE, _KEYS = "state = 'ACTIVE' AND kind = 'PASSKEY'", "state = 'ACTIVE' AND kind IN ('PASSKEY', 'CERTIFICATE')"


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("authenticators", columns.moment("expire_time"))
    _by_credential(["kind", "credential"], _KEYS)


def downgrade() -> None:
    """Takes this revision back."""
    op.execute("DELETE FROM authenticators WHERE kind = 'CERTIFICATE'")
    _by_credential(["credential"], _KEYS_BEFORE)
    op.drop_column("authenticators", "expire_time")


def _by_credential(over: list[str], where: str) -> None:
    op.drop_index("authenticators_by_credential", "authenticators")
    op.create_index(
        "authenticators_by_credential", "authenticators", over, unique=True, postgresql_where=sa.text(where)
    )
