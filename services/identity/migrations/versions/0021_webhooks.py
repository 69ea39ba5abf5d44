"""Webhooks: public events are brought to clients."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_WAITS = sa.text("state = 'WAITING'")


def upgrade() -> None:
    """Applies this revision."""
    _webhooks()
    _turns()
    _deliveries()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("webhook_deliveries", "webhook_cursors", "webhook_turns", "webhooks"):
        op.drop_table(table)


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        columns.record_id(),
        *columns.given("client"),
        columns.text("display_name"),
        *columns.given("url"),
        columns.texts("types"),
        *columns.given("signature_scheme"),
        columns.binary("secret"),
        columns.binary("old_secret", nullable=True),
        columns.moment("overlap_expire_time"),
        *columns.given("state"),
        *map(columns.text, ("suspend_reason", "suspender")),
        columns.moment("gap_time"),
        *columns.life(),
        comment="Where clients have public events sent; secrets are encrypted.",
    )
    op.create_index("webhooks_of_client", "webhooks", ["client", "create_time", "id"])
    op.create_index("webhooks_created", "webhooks", ["create_time", "id"])


def _turns() -> None:
    op.create_table(
        "webhook_turns",
        sa.Column("webhook", sa.Uuid(as_uuid=False), sa.ForeignKey("webhooks.id"), primary_key=True),
        *columns.amounts("turn", "placed"),
        columns.moment("turn_time"),
        columns.moment("lease_time"),
        comment="When each webhook is taken up next, and until when one process alone has it; how many deliveries it had.",
    )
    due = sa.text("turn_time IS NOT NULL")
    op.create_index("webhook_turns_due", "webhook_turns", ["turn_time"], postgresql_where=due)
    op.create_table(
        "webhook_cursors",
        sa.Column("webhook", sa.Uuid(as_uuid=False), sa.ForeignKey("webhooks.id"), primary_key=True),
        sa.Column("service", sa.Text, primary_key=True),
        columns.text("cursor"),
        columns.moment("start_time", nullable=False),
        comment="How far a webhook has read each service's public events; where the cursor is empty it begins at start_time.",
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        columns.record_id(),
        columns.reference("webhook", "webhooks.id"),
        *columns.given("client", "message", "type", "subject"),
        *columns.amounts("place"),
        columns.text("cursor"),
        columns.binary("body"),
        columns.moment("event_time", nullable=False),
        columns.moment("next_attempt_time"),
        *columns.given("state"),
        columns.json("attempts"),
        columns.counted("failures"),
        columns.no("once"),
        columns.moment("deliver_time"),
        *columns.life(),
        comment="Events on their way to webhooks, or there; bodies are encrypted.",
    )
    table = "webhook_deliveries"
    op.create_index(f"{table}_waiting", table, ["webhook", "message"], unique=True, postgresql_where=_WAITS)
    op.create_index(f"{table}_due", table, ["webhook", "next_attempt_time"], postgresql_where=_WAITS)
    op.create_index(f"{table}_line", table, ["webhook", "subject", "place"], postgresql_where=_WAITS)
    op.create_index(f"{table}_of_webhook", table, ["webhook", "create_time", "id"])
    op.create_index(f"{table}_of_client", table, ["client", "create_time", "id"])
    op.create_index(f"{table}_in_state", table, ["state", "create_time", "id"])
    op.create_index(f"{table}_created", table, ["create_time", "id"])
    op.create_index(f"{table}_old", table, ["update_time"])
