"""People sign in by passkeys."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_ONLY_ONE = "state = 'ACTIVE' AND kind <> 'PASSKEY'"
_PASSKEY = "state = 'ACTIVE' AND kind = 'PASSKEY'"


def upgrade() -> None:
    """Applies this revision."""
    for column in (
        columns.nothing_yet("credential"),
        *columns.amounts("sign_count"),
        columns.nothing_yet("display_name"),
    ):
        op.add_column("authenticators", column)
    for column in (columns.nothing_yet("challenge"), columns.moment("challenge_time")):
        op.add_column("authorization_requests", column)
    # Of passkeys a person has several.
    _index("authenticators_only_one", ["person", "kind"], _ONLY_ONE)
    _index("authenticators_by_credential", ["credential"], _PASSKEY)
    op.drop_index("authenticators_in_use", "authenticators")


def downgrade() -> None:
    """Takes this revision back."""
    op.execute("DELETE FROM authenticators WHERE kind = 'PASSKEY'")
    _index("authenticators_in_use", ["person", "kind"], "state = 'ACTIVE'")
    for index in ("authenticators_by_credential", "authenticators_only_one"):
        op.drop_index(index, "authenticators")
    for column in ("challenge_time", "challenge"):
        op.drop_column("authorization_requests", column)
    for column in ("display_name", "sign_count", "credential"):
        op.drop_column("authenticators", column)


def _index(name: str, over: list[str], where: str) -> None:
    op.create_index(name, "authenticators", over, unique=True, postgresql_where=sa.text(where))
