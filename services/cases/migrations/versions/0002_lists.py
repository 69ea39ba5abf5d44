"""Lists go along an index in each of their orders."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES = {
    "cases_created": ("cases", ["create_time", "id"]),
    "cases_of_department": ("cases", ["department", "create_time", "id"]),
}


def upgrade() -> None:
    """Applies this revision."""
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Takes this revision back."""
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table)
