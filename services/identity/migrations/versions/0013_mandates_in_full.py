"""Guardians, mandates that are passed on, and where one may be used (decision 0065)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_PASSED_ON = sa.text("parent <> ''")
_INDEXES = {"mandates_of_parent": "parent", "mandates_passed_on_by": "granter"}


def upgrade() -> None:
    """Applies this revision: what was given before is an agent's or a helper's, and nobody's to pass on."""
    for column in (
        columns.no("guardian"),
        columns.no("sub_delegable"),
        columns.text("parent"),
        sa.Column("regions", ARRAY(sa.Text())),
        columns.text("evidence"),
        columns.texts("witnesses", empty=True),
        columns.texts("backers", empty=True),
    ):
        op.add_column("mandates", column)
    for name, leading in _INDEXES.items():
        op.create_index(name, "mandates", [leading, "create_time", "id"], unique=False, postgresql_where=_PASSED_ON)


def downgrade() -> None:
    """Takes this revision back."""
    for name in _INDEXES:
        op.drop_index(name, table_name="mandates")
    for added in ("guardian", "sub_delegable", "parent", "regions", "evidence", "witnesses", "backers"):
        op.drop_column("mandates", added)
