"""The eighth revision of the common tables: the log is searched by what a use was for, and by its case."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

_SAID = {"purpose_code": "purpose_code", "service_item": "service_item", "case_name": "case"}


def upgrade() -> None:
    """Applies this revision; of what stands in the log already the canonical bytes say it."""
    for name, field in _SAID.items():
        op.add_column("audit_records", columns.text(name))
        said = f"coalesce(convert_from(canonical, 'UTF8')::jsonb ->> '{field}', '')"
        op.execute(f"UPDATE audit_records SET {name} = {said}")  # noqa: S608 - of this module's own words
    some = sa.text("case_name <> ''")
    op.create_index("audit_records_case", "audit_records", ["case_name", "record_time", "seq"], postgresql_where=some)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("audit_records_case", "audit_records")
    for name in reversed(_SAID):
        op.drop_column("audit_records", name)
