"""The table of operations (``libs.db.schema``); each service has a revision that calls it."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "operations",
        columns.record_id(),
        *columns.given("method", "owner", "actor"),
        columns.text("trace"),
        columns.binary("request"),
        columns.text("phase"),
        *columns.amounts("done", "total"),
        columns.nothing_yet("checkpoint"),
        columns.binary("response", nullable=True),
        columns.binary("error", nullable=True),
        columns.no("cancel_requested"),
        columns.text("worker"),
        columns.moment("lease_time", nullable=False),
        columns.counted("attempts"),
        columns.counted("stalls"),
        columns.moment("start_time"),
        columns.moment("end_time"),
        columns.moment("expire_time"),
        *columns.life(),
        comment="Work that takes longer than a call: how far it is, who has it until when, and what came of it.",
    )
    op.create_index("operations_time", "operations", ["create_time", "id"])
    op.create_index("operations_owner", "operations", ["owner", "create_time", "id"])
    under_way = sa.text("end_time IS NULL")
    op.create_index("operations_waiting", "operations", ["lease_time"], postgresql_where=under_way)
    op.create_index("operations_expire_time", "operations", ["expire_time"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("operations")
