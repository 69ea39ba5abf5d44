"""Lists go along an index in each of their orders."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES: dict[str, tuple[str, list[str], str]] = {
    "licenses_of_issuer": ("licenses", ["issuer_department", "create_time", "id"], ""),
    "license_uses_of_license": ("license_uses", ["license_id", "use_time", "id"], ""),
    "license_uses_of_case": ("license_uses", ["case_name", "use_time", "id"], "case_name <> ''"),
    "materials_of_owner": ("materials", ["owner", "create_time", "id"], ""),
    "materials_of_uploader": ("materials", ["uploader", "create_time", "id"], ""),
    "presentations_of_holder": ("presentations", ["holder", "create_time", "id"], ""),
}
_BEFORE: dict[str, tuple[str, list[str], str]] = {
    "licenses_issuer": ("licenses", ["issuer_department", "id"], ""),
    "license_uses_license": ("license_uses", ["license_id", "id"], ""),
    "license_uses_case": ("license_uses", ["case_name", "id"], "case_name <> ''"),
    "materials_owner": ("materials", ["owner", "id"], ""),
    "presentations_holder": ("presentations", ["holder", "id"], ""),
}


def upgrade() -> None:
    """Applies this revision."""
    _change(_BEFORE, _INDEXES)


def downgrade() -> None:
    """Takes this revision back."""
    _change(_INDEXES, _BEFORE)


def _change(before: dict[str, tuple[str, list[str], str]], after: dict[str, tuple[str, list[str], str]]) -> None:
    for name, (table, columns, where) in after.items():
        op.create_index(name, table, columns, postgresql_where=sa.text(where) if where else None)
    for name, (table, _, _) in before.items():
        op.drop_index(name, table)
