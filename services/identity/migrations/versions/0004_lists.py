"""Lists go along an index in each of their orders."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = {
    "consents_of_subject": ("consents", ["subject", "create_time", "id"]),
    "verifications_of_person": ("verifications", ["person", "verify_time", "id"]),
}
_BEFORE = {
    "consents_subject": ("consents", ["subject", "id"]),
    "verifications_person": ("verifications", ["person", "verify_time"]),
}


def upgrade() -> None:
    """Applies this revision."""
    _change(_BEFORE, _INDEXES)


def downgrade() -> None:
    """Takes this revision back."""
    _change(_INDEXES, _BEFORE)


def _change(before: dict[str, tuple[str, list[str]]], after: dict[str, tuple[str, list[str]]]) -> None:
    for name, (table, columns) in after.items():
        op.create_index(name, table, columns)
    for name, (table, _) in before.items():
        op.drop_index(name, table)
