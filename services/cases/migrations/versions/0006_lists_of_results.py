"""Ratings and deliveries are listed: of whom they are of, in the order of creation."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OF_THE_CASE = ("applicant", "agent", "department")
_INDEXES: dict[str, tuple[str, list[str], str]] = {
    "ratings_rater": ("ratings", ["rater", "create_time", "id"], "rater <> ''"),
    "ratings_department": ("ratings", ["department", "create_time", "id"], ""),
    "deliveries_applicant": ("deliveries", ["applicant", "create_time", "id"], ""),
    "deliveries_agent": ("deliveries", ["agent", "create_time", "id"], "agent <> ''"),
    "deliveries_department": ("deliveries", ["department", "create_time", "id"], ""),
}


def upgrade() -> None:
    """Applies this revision."""
    for name in _OF_THE_CASE:
        op.add_column("deliveries", columns.text(name))
    op.execute(
        "UPDATE deliveries SET applicant = cases.applicant, agent = cases.agent, department = cases.department "
        "FROM cases WHERE cases.id = deliveries.case_id"
    )
    for name, (table, of, where) in _INDEXES.items():
        op.create_index(name, table, of, postgresql_where=sa.text(where) if where else None)


def downgrade() -> None:
    """Takes this revision back."""
    for name, (table, _, _) in _INDEXES.items():
        op.drop_index(name, table)
    for name in _OF_THE_CASE:
        op.drop_column("deliveries", name)
