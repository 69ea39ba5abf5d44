"""Every list is filtered, along an index in each of its orders."""

from alembic import op

from libs.db import common_0006

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_INDEXES = {
    "mandates_created": ("mandates", ["create_time", "id"]),
    "mandates_of_principal": ("mandates", ["principal", "create_time", "id"]),
    "mandates_of_agent": ("mandates", ["agent", "create_time", "id"]),
    "staff_of_department": ("staff", ["department", "staff_number", "id"]),
}
_BEFORE = {
    "mandates_principal": ("mandates", ["principal", "id"]),
    "mandates_agent": ("mandates", ["agent", "id"]),
}


def upgrade() -> None:
    """Applies this revision."""
    common_0006.upgrade()
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns)
    for name, (table, _) in _BEFORE.items():
        op.drop_index(name, table)


def downgrade() -> None:
    """Takes this revision back."""
    for name, (table, columns) in _BEFORE.items():
        op.create_index(name, table, columns)
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table)
    common_0006.downgrade()
