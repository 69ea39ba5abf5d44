"""Every list is filtered, along an index in each of its orders."""

from alembic import op

from libs.db import common_0006

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_SIDES = {
    f"{table}_{name}": (table, columns)
    for table in ("requests", "grants")
    for name, columns in {
        "created": ["create_time", "id"],
        "of_consumer": ["consumer_region", "create_time", "id"],
        "of_provider": ["provider_department", "create_time", "id"],
    }.items()
}
_INDEXES = {
    "resources_state": ("resources", ["state", "code"]),
    "resources_provider": ("resources", ["provider_department", "code"]),
    **_SIDES,
}
_BEFORE = {f"{table}_consumer": (table, ["consumer_region", "id"]) for table in ("requests", "grants")}
_DEPARTMENTS = ("requests", "grants")


def upgrade() -> None:
    """Applies this revision."""
    common_0006.upgrade()
    for table in _DEPARTMENTS:
        op.create_index(f"{table}_departments", table, ["departments"], postgresql_using="gin")
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
    for table in _DEPARTMENTS:
        op.drop_index(f"{table}_departments", table)
    common_0006.downgrade()
