"""Lists go along an index in each of their orders."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INDEXES: dict[str, tuple[str, list[str], str]] = {
    "cases_created": ("cases", ["create_time", "id"], ""),
    "cases_of_department": ("cases", ["department", "create_time", "id"], ""),
    "tasks_of_department": ("tasks", ["department", "due_date", "id"], ""),
    "transfers_created": ("transfers", ["create_time", "id"], ""),
    "transfers_applicant": ("transfers", ["applicant", "create_time", "id"], "applicant <> ''"),
    "transfers_agent": ("transfers", ["agent", "create_time", "id"], "agent <> ''"),
}


def upgrade() -> None:
    """Applies this revision."""
    for name, (table, columns, where) in _INDEXES.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(where) if where else None)


def downgrade() -> None:
    """Takes this revision back."""
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
