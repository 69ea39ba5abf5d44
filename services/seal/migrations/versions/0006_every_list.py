"""Every list is filtered, along an index in each of its orders."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns, common_0006

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_OF_A_CASE = sa.text("case_name <> ''")
_INDEXES = {
    "seals_created": ("seals", ["create_time", "id"]),
    "seals_of_owner": ("seals", ["owner", "create_time", "id"]),
    "sealings_created": ("sealings", ["create_time", "id"]),
    "sealings_of_seal": ("sealings", ["seal", "create_time", "id"]),
}
_BEFORE = {"seals_owner": ("seals", ["owner", "id"]), "sealings_seal": ("sealings", ["seal", "id"])}


def upgrade() -> None:
    """Applies this revision."""
    common_0006.upgrade()
    op.add_column("sealings", columns.moment("create_time"))
    op.add_column("sealings", columns.text("case_name"))
    op.execute(
        "UPDATE sealings SET create_time = b.create_time, case_name = b.case_name "
        "FROM sealing_batches AS b WHERE b.id = sealings.batch"
    )
    op.alter_column("sealings", "create_time", nullable=False)
    for name, (table, of) in _INDEXES.items():
        op.create_index(name, table, of)
    for name, (table, _) in _BEFORE.items():
        op.drop_index(name, table)
    op.drop_index("sealing_batches_case", "sealing_batches")
    op.create_index("sealings_of_case", "sealings", ["case_name", "create_time", "id"], postgresql_where=_OF_A_CASE)


def downgrade() -> None:
    """Takes this revision back."""
    for name, (table, of) in _BEFORE.items():
        op.create_index(name, table, of)
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table)
    op.drop_index("sealings_of_case", "sealings")
    op.create_index("sealing_batches_case", "sealing_batches", ["case_name", "id"], postgresql_where=_OF_A_CASE)
    op.drop_column("sealings", "case_name")
    op.drop_column("sealings", "create_time")
    common_0006.downgrade()
