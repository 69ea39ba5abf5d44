"""Uses and presentations keep the whole use context in columns: the purpose's code, the item, the kind of basis and the basis."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    for table in ("license_uses", "presentations"):
        op.add_column(table, sa.Column("purpose_code", sa.Text(), nullable=False))
        op.add_column(table, columns.text("service_item"))
        op.drop_column(table, "legal_basis")
    op.add_column("license_uses", columns.text("basis_kind"))
    op.add_column("license_uses", columns.text("named_basis"))
    op.create_index(
        "license_uses_of_item",
        "license_uses",
        ["service_item", "use_time", "id"],
        postgresql_where=sa.text("service_item <> ''"),
    )
    op.create_index("license_uses_time", "license_uses", ["use_time"], postgresql_using="brin")
    op.add_column("handled_cases", sa.Column("item", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_column("handled_cases", "item")
    op.drop_index("license_uses_time", "license_uses")
    op.drop_index("license_uses_of_item", "license_uses")
    op.drop_column("license_uses", "named_basis")
    op.drop_column("license_uses", "basis_kind")
    for table in ("license_uses", "presentations"):
        op.add_column(table, columns.text("legal_basis"))
        op.drop_column(table, "service_item")
        op.drop_column(table, "purpose_code")
