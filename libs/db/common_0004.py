"""The fourth revision of the common tables: the log is searched by who did it and when."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns


def upgrade() -> None:
    """Applies this revision; of what stands in the log already the canonical bytes say who did it."""
    op.add_column("audit_records", columns.text("actor"))
    op.execute("UPDATE audit_records SET actor = coalesce(convert_from(canonical, 'UTF8')::jsonb ->> 'actor', '')")
    op.create_index("audit_records_time", "audit_records", ["record_time", "seq"])
    op.create_index("audit_records_of_object", "audit_records", ["object", "record_time", "seq"])
    someone = sa.text("actor <> ''")
    op.create_index("audit_records_actor", "audit_records", ["actor", "record_time", "seq"], postgresql_where=someone)
    op.drop_index("audit_records_object", "audit_records")


def downgrade() -> None:
    """Takes this revision back."""
    op.create_index("audit_records_object", "audit_records", ["object", "seq"])
    for name in ("audit_records_actor", "audit_records_of_object", "audit_records_time"):
        op.drop_index(name, "audit_records")
    op.drop_column("audit_records", "actor")
