"""The first schema of the cases service."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from libs.db import columns, common_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    *("calendars", "calendar_days", "items", "case_numbers", "cases", "case_history", "case_standstills"),
    *("case_licenses", "tasks", "deliveries", "ratings", "transfers", "transfer_messages"),
)


def upgrade() -> None:
    """Applies this revision."""
    common_0001.upgrade()
    _calendars()
    _items()
    _case_numbers()
    _cases()
    _case_history()
    _case_standstills()
    _case_licenses()
    _tasks()
    _deliveries()
    _ratings()
    _transfers()
    _transfer_messages()


def downgrade() -> None:
    """Takes this revision back."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    common_0001.downgrade()


def _revision() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
    )


def _calendars() -> None:
    op.create_table(
        "calendars",
        *_revision(),
        *columns.given("basis", "source"),
        columns.moment("create_time", nullable=False),
        sa.PrimaryKeyConstraint("year", "revision"),
        comment="Revisions of the working-day calendar; the newest of each year holds.",
        info={"evidence": True},
    )
    op.create_table(
        "calendar_days",
        *_revision(),
        sa.Column("day", sa.Date(), nullable=False),
        *columns.given("kind", "note"),
        sa.PrimaryKeyConstraint("year", "revision", "day"),
        comment="The kind of every day of every revision.",
        info={"evidence": True},
    )


def _items() -> None:
    op.create_table(
        "items",
        columns.identifier(),
        sa.Column("number", sa.Integer(), nullable=False),
        *columns.given("state", "task_code", "category", "department"),
        sa.Column("cross_region", sa.Boolean(), nullable=False),
        sa.Column("open_regions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("statutory_limit_days", sa.SmallInteger(), nullable=False),
        columns.moment("publish_time"),
        columns.moment("supersede_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_code", "number"),
        comment="Versions of service items; the content of a published one never changes.",
    )
    for name, state in (("items_in_force", "PUBLISHED"), ("items_draft", "DRAFT")):
        op.create_index(name, "items", ["task_code"], unique=True, postgresql_where=sa.text(f"state = '{state}'"))


def _case_numbers() -> None:
    op.create_table(
        "case_numbers",
        *columns.given("task_code"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task_code", "day"),
        comment="The last case number given for an item on a day.",
    )


def _of_the_application() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.identifier(),
        sa.Column("number", sa.Text(), nullable=True),
        columns.identifier("item"),
        *columns.given("task_code", "category", "department", "state", "channel", "applicant"),
        columns.text("agent"),
        columns.text("mandate"),
        columns.text("created_by"),
        sa.Column("assurance", sa.SmallInteger(), nullable=False),
        *columns.given("home_region", "receiving_region"),
        columns.identifier("transfer", nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )


def _of_the_decision() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.text("outcome"),
        columns.text("license"),
        columns.text("license_identifier"),
        columns.text("received_by"),
        columns.text("accepted_by"),
        columns.text("reviewed_by"),
        columns.text("rating"),
        columns.identifier("delivery", nullable=True),
    )


def _of_the_clock() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("clock_start", sa.Date(), nullable=True),
        sa.Column("standstills", postgresql.ARRAY(sa.Date()), server_default="{}", nullable=False),
        sa.Column("due_date", sa.Date(), nullable=True),
        columns.counted("calendar_edition"),
        sa.Column("extension_days", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        columns.moment("submit_time"),
        columns.moment("accept_time"),
        columns.moment("decide_time"),
        columns.moment("close_time"),
        columns.moment("deliver_time"),
        columns.moment("end_time"),
        columns.moment("rate_time"),
    )


def _cases() -> None:
    op.create_table(
        "cases",
        *_of_the_application(),
        *_of_the_decision(),
        *_of_the_clock(),
        *columns.life(),
        columns.text("received_human"),
        columns.text("accepted_human"),
        sa.PrimaryKeyConstraint("id"),
        comment="Cases. sealed: tongban.cases.v1.Case with title, parties, materials, form, correction, decision.",
    )
    _case_indexes()


def _case_indexes() -> None:
    op.create_index("cases_number", "cases", ["number"], unique=True)
    op.create_index("cases_applicant", "cases", ["applicant", "create_time", "id"])
    op.create_index("cases_agent", "cases", ["agent", "create_time", "id"], postgresql_where=sa.text("agent <> ''"))
    op.create_index("cases_department", "cases", ["department", "state", "create_time", "id"])
    op.create_index(
        "cases_recount", "cases", ["calendar_edition", "id"], postgresql_where=sa.text("calendar_edition > 0")
    )
    op.create_index(
        "cases_times",
        "cases",
        ["create_time", "submit_time", "accept_time", "decide_time", "close_time", "rate_time"],
        postgresql_using="brin",
    )


def _case_history() -> None:
    op.create_table(
        "case_history",
        columns.identifier("case_id"),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        *columns.given("action", "from_state", "to_state", "actor", "department"),
        sa.Column("note", sa.LargeBinary(), nullable=True),
        columns.moment("event_time", nullable=False),
        sa.PrimaryKeyConstraint("case_id", "sequence"),
        comment="What was done with each case, step by step.",
        info={"evidence": True},
    )


def _case_standstills() -> None:
    op.create_table(
        "case_standstills",
        columns.identifier("case_id"),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        *columns.given("phase", "procedure"),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        columns.moment("start_time", nullable=False),
        columns.moment("end_time"),
        sa.PrimaryKeyConstraint("case_id", "sequence"),
        comment="The ledger of a case's clock: the intervals in which it stood still.",
    )


def _case_licenses() -> None:
    op.create_table(
        "case_licenses",
        *columns.given("license"),
        columns.identifier("case_id"),
        *columns.given("identifier"),
        columns.moment("issue_time", nullable=False),
        sa.PrimaryKeyConstraint("license"),
        comment="Licences issued on decisions, as the license service told.",
        info={"evidence": True},
    )
    op.create_index("case_licenses_time", "case_licenses", ["issue_time"])


def _tasks() -> None:
    op.create_table(
        "tasks",
        columns.identifier(),
        columns.identifier("case_id"),
        *columns.given("kind", "state", "department"),
        columns.text("assignee"),
        sa.Column("due_date", sa.Date(), nullable=False),
        columns.moment("claim_time"),
        columns.moment("end_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Work queues; a task without a deadline is due on 9999-12-31.",
    )
    op.create_index("tasks_case", "tasks", ["case_id"])
    waiting = sa.text("state IN ('OPEN', 'CLAIMED')")
    op.create_index("tasks_open", "tasks", ["department", "due_date", "id"], postgresql_where=waiting)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        columns.identifier(),
        columns.identifier("case_id"),
        *columns.given("method", "state", "region"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        columns.text("tracking_number"),
        columns.text("confirmed_by"),
        columns.moment("deliver_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id"),
        comment="Deliveries of results. sealed: tongban.cases.v1.Delivery with address and recipient.",
    )


def _ratings() -> None:
    op.create_table(
        "ratings",
        columns.identifier(),
        *columns.given("case_name", "kind", "level", "channel"),
        sa.Column("comment", sa.LargeBinary(), nullable=True),
        sa.Column("indicators", postgresql.ARRAY(sa.Text()), nullable=False),
        *columns.given("rater", "department"),
        sa.Column("effective", sa.Boolean(), nullable=False),
        columns.moment("create_time", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_name", "kind"),
        comment="Ratings: one first and one follow-up a case.",
        info={"evidence": True},
    )


def _of_the_exchange() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.identifier(),
        *columns.given("exchange_id", "transaction_id", "direction", "peer_region", "state", "mode", "task_code"),
        *columns.given("item_display_name"),
        columns.text("case_name"),
        columns.text("case_number"),
        *columns.given("department", "owner_department", "operator"),
        columns.text("applicant"),
        columns.text("agent"),
        columns.text("progress_state"),
        columns.text("peer_transfer"),
    )


def _of_its_messages() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("tolerated", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("delegation", sa.LargeBinary(), nullable=True),
        columns.counted("last_sent"),
        columns.counted("last_receipted"),
        columns.counted("last_applied"),
        columns.text("end_reason"),
        columns.text("waiting_reason"),
        columns.moment("waiting_since"),
        sa.Column("acknowledgement", sa.LargeBinary(), nullable=True),
        columns.moment("receive_time"),
        columns.moment("acknowledge_time"),
    )


def _transfers() -> None:
    op.create_table(
        "transfers",
        *_of_the_exchange(),
        *_of_its_messages(),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer_region", "exchange_id", "direction"),
        comment="One side's view of each exchange. sealed: tongban.cases.v1.Transfer with parties, progress and result.",
    )
    op.create_index("transfers_case", "transfers", ["case_name"], postgresql_where=sa.text("case_name <> ''"))
    op.create_index("transfers_list", "transfers", ["owner_department", "create_time", "id"])
    receipted = sa.text("state = 'RECEIVED' AND direction = 'OUTBOUND'")
    op.create_index("transfers_unanswered", "transfers", ["id"], postgresql_where=receipted)


def _of_the_message() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.identifier(),
        *columns.given("exchange_id", "direction", "peer_region"),
        sa.Column("incoming", sa.Boolean(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        *columns.given("payload"),
        columns.text("digest"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *columns.given("state"),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
    )


def _of_its_tries() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.counted("attempts"),
        columns.text("last_error"),
        sa.Column("next_attempt", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        columns.moment("waiting_since"),
        columns.moment("waited_until"),
        sa.Column("waited", sa.Interval(), server_default=sa.text("'0'::interval"), nullable=False),
    )


def _transfer_messages() -> None:
    op.create_table(
        "transfer_messages",
        *_of_the_message(),
        *_of_its_tries(),
        columns.moment("create_time", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("peer_region", "exchange_id", "direction", "incoming", "sequence"),
        comment="Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED, ENDED; incoming: HELD, APPLIED.",
    )
    op.create_index(
        "transfer_messages_pending",
        "transfer_messages",
        ["peer_region", "exchange_id", "direction", "sequence"],
        postgresql_where=sa.text("state = 'PENDING'"),
    )
