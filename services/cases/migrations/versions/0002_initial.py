"""initial

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "calendar_days",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("year", "revision", "day"),
        comment="The kind of every day of every revision.",
        info={"evidence": True},
    )
    op.create_table(
        "calendars",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("year", "revision"),
        comment="Revisions of the working-day calendar; the newest of each year holds.",
        info={"evidence": True},
    )
    op.create_table(
        "case_history",
        sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "sequence"),
        comment="What was done with each case, step by step.",
        info={"evidence": True},
    )
    op.create_table(
        "case_licenses",
        sa.Column("license", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("issue_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("license"),
        comment="Licences issued on decisions, as the license service told.",
        info={"evidence": True},
    )
    op.create_index("case_licenses_time", "case_licenses", ["issue_time"], unique=False)
    op.create_table(
        "case_numbers",
        sa.Column("task_code", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_code", "day"),
        comment="The last case number given for an item on a day.",
    )
    op.create_table(
        "case_standstills",
        sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("case_id", "sequence"),
        comment="The ledger of a case's clock: the intervals in which it stood still.",
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("item", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("task_code", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("mandate", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Text(), server_default="", nullable=False),
        sa.Column("assurance", sa.SmallInteger(), nullable=False),
        sa.Column("home_region", sa.Text(), nullable=False),
        sa.Column("receiving_region", sa.Text(), nullable=False),
        sa.Column("transfer", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("license", sa.Text(), server_default="", nullable=False),
        sa.Column("license_identifier", sa.Text(), server_default="", nullable=False),
        sa.Column("received_by", sa.Text(), server_default="", nullable=False),
        sa.Column("accepted_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reviewed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("rating", sa.Text(), server_default="", nullable=False),
        sa.Column("delivery", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("clock_start", sa.Date(), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("statutory_date", sa.Date(), nullable=True),
        sa.Column("stopped_on", sa.Date(), nullable=True),
        sa.Column("extension_days", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("submit_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accept_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decide_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deliver_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rate_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Cases. sealed: tongban.cases.v1.Case with title, parties, materials, form, correction, decision.",
    )
    op.create_index(
        "cases_agent", "cases", ["agent", "create_time", "id"], unique=False, postgresql_where=sa.text("agent <> ''")
    )
    op.create_index("cases_applicant", "cases", ["applicant", "create_time", "id"], unique=False)
    op.create_index("cases_department", "cases", ["department", "state", "create_time", "id"], unique=False)
    op.create_index("cases_number", "cases", ["number"], unique=True)
    op.create_index(
        "cases_times",
        "cases",
        ["create_time", "submit_time", "accept_time", "decide_time", "close_time", "rate_time"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("tracking_number", sa.Text(), server_default="", nullable=False),
        sa.Column("confirmed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("deliver_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id"),
        comment="Deliveries of results. sealed: tongban.cases.v1.Delivery with address and recipient.",
    )
    op.create_table(
        "items",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("task_code", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("cross_region", sa.Boolean(), nullable=False),
        sa.Column("open_regions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("publish_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("supersede_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_code", "number"),
        comment="Versions of service items; the content of a published one never changes.",
    )
    op.create_index("items_draft", "items", ["task_code"], unique=True, postgresql_where=sa.text("state = 'DRAFT'"))
    op.create_index(
        "items_in_force", "items", ["task_code"], unique=True, postgresql_where=sa.text("state = 'PUBLISHED'")
    )
    op.create_table(
        "ratings",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("case_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("comment", sa.LargeBinary(), nullable=True),
        sa.Column("indicators", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("rater", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("effective", sa.Boolean(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_name", "kind"),
        comment="Ratings: one first and one follow-up a case.",
        info={"evidence": True},
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("assignee", sa.Text(), server_default="", nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("claim_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Work queues; a task without a deadline is due on 9999-12-31.",
    )
    op.create_index("tasks_case", "tasks", ["case_id"], unique=False)
    op.create_index(
        "tasks_open",
        "tasks",
        ["department", "due_date", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('OPEN', 'CLAIMED')"),
    )
    op.create_table(
        "transfer_messages",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("peer_region", sa.Text(), nullable=False),
        sa.Column("incoming", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer_region", "exchange_id", "direction", "incoming", "sequence"),
        comment="Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED; incoming: HELD, APPLIED.",
    )
    op.create_index(
        "transfer_messages_due",
        "transfer_messages",
        ["next_attempt"],
        unique=False,
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("exchange_id", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("peer_region", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("task_code", sa.Text(), nullable=False),
        sa.Column("item_display_name", sa.Text(), nullable=False),
        sa.Column("case_name", sa.Text(), server_default="", nullable=False),
        sa.Column("case_number", sa.Text(), server_default="", nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("owner_department", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), server_default="", nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("progress_state", sa.Text(), server_default="", nullable=False),
        sa.Column("peer_transfer", sa.Text(), server_default="", nullable=False),
        sa.Column("tolerated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("delegation", sa.LargeBinary(), nullable=True),
        sa.Column("last_sent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_receipted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_applied", sa.Integer(), server_default="0", nullable=False),
        sa.Column("end_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("acknowledgement", sa.LargeBinary(), nullable=True),
        sa.Column("receive_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledge_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer_region", "exchange_id", "direction"),
        comment="One side's view of each exchange. sealed: tongban.cases.v1.Transfer with parties, progress and result.",
    )
    op.create_index(
        "transfers_case", "transfers", ["case_name"], unique=False, postgresql_where=sa.text("case_name <> ''")
    )
    op.create_index("transfers_list", "transfers", ["owner_department", "create_time", "id"], unique=False)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("transfers_list", table_name="transfers")
    op.drop_index("transfers_case", table_name="transfers", postgresql_where=sa.text("case_name <> ''"))
    op.drop_table("transfers")
    op.drop_index(
        "transfer_messages_due", table_name="transfer_messages", postgresql_where=sa.text("state = 'PENDING'")
    )
    op.drop_table("transfer_messages")
    op.drop_index("tasks_open", table_name="tasks", postgresql_where=sa.text("state IN ('OPEN', 'CLAIMED')"))
    op.drop_index("tasks_case", table_name="tasks")
    op.drop_table("tasks")
    op.drop_table("ratings")
    op.drop_index("items_in_force", table_name="items", postgresql_where=sa.text("state = 'PUBLISHED'"))
    op.drop_index("items_draft", table_name="items", postgresql_where=sa.text("state = 'DRAFT'"))
    op.drop_table("items")
    op.drop_table("deliveries")
    op.drop_index("cases_times", table_name="cases", postgresql_using="brin")
    op.drop_index("cases_number", table_name="cases")
    op.drop_index("cases_department", table_name="cases")
    op.drop_index("cases_applicant", table_name="cases")
    op.drop_index("cases_agent", table_name="cases", postgresql_where=sa.text("agent <> ''"))
    op.drop_table("cases")
    op.drop_table("case_standstills")
    op.drop_table("case_numbers")
    op.drop_index("case_licenses_time", table_name="case_licenses")
    op.drop_table("case_licenses")
    op.drop_table("case_history")
    op.drop_table("calendars")
    op.drop_table("calendar_days")
