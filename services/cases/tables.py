"""The tables of case handling.

What is personal lies in one encrypted column a row (``sealed``: a protobuf message); what is searched, counted or
decided on stands beside it in clear, as codes and names of resources.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db.schema import EVIDENCE

METADATA = sa.MetaData()


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _time(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _life() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        _time("create_time", nullable=False),
        _time("update_time", nullable=False),
    )


calendars = sa.Table(
    "calendars",
    METADATA,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, nullable=False),
    _time("create_time", nullable=False),
    info=EVIDENCE,
    comment="Revisions of the working-day calendar; the newest of each year holds.",
)

calendar_days = sa.Table(
    "calendar_days",
    METADATA,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    info=EVIDENCE,
    comment="The kind of every day of every revision.",
)

items = sa.Table(
    "items",
    METADATA,
    _id(),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("task_code", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("cross_region", sa.Boolean, nullable=False),
    sa.Column("open_regions", ARRAY(sa.Text), nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    _time("publish_time"),
    _time("supersede_time"),
    *_life(),
    sa.UniqueConstraint("task_code", "number"),
    sa.Index("items_in_force", "task_code", unique=True, postgresql_where=sa.text("state = 'PUBLISHED'")),
    sa.Index("items_draft", "task_code", unique=True, postgresql_where=sa.text("state = 'DRAFT'")),
    comment="Versions of service items; the content of a published one never changes.",
)

case_numbers = sa.Table(
    "case_numbers",
    METADATA,
    sa.Column("task_code", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("last", sa.Integer, nullable=False),
    comment="The last case number given for an item on a day.",
)

cases = sa.Table(
    "cases",
    METADATA,
    _id(),
    sa.Column("number", sa.Text),
    sa.Column("item", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("task_code", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("applicant", sa.Text, nullable=False),
    _text("agent"),
    _text("mandate"),
    _text("created_by"),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    sa.Column("home_region", sa.Text, nullable=False),
    sa.Column("receiving_region", sa.Text, nullable=False),
    sa.Column("transfer", sa.Uuid(as_uuid=False)),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    _text("outcome"),
    _text("license"),
    _text("license_identifier"),
    _text("received_by"),
    _text("accepted_by"),
    _text("reviewed_by"),
    _text("rating"),
    sa.Column("delivery", sa.Uuid(as_uuid=False)),
    sa.Column("clock_start", sa.Date),
    # The days on which the clock stopped and went on in this period, in turn: with clock_start and extension_days all that
    # its deadlines are derived from.
    sa.Column("standstills", ARRAY(sa.Date), nullable=False, server_default="{}"),
    # For the sweeper's search and the order of queues only: the deadline as the calendar of that edition had it.
    sa.Column("due_date", sa.Date),
    sa.Column("calendar_edition", sa.Integer, nullable=False, server_default="0"),
    sa.Column("extension_days", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("steps", sa.Integer, nullable=False),
    _time("submit_time"),
    _time("accept_time"),
    _time("decide_time"),
    _time("close_time"),
    _time("deliver_time"),
    _time("end_time"),
    _time("rate_time"),
    *_life(),
    _text("received_human"),
    _text("accepted_human"),
    sa.Index("cases_number", "number", unique=True),
    sa.Index("cases_applicant", "applicant", "create_time", "id"),
    sa.Index("cases_agent", "agent", "create_time", "id", postgresql_where=sa.text("agent <> ''")),
    sa.Index("cases_department", "department", "state", "create_time", "id"),
    sa.Index("cases_recount", "calendar_edition", "id", postgresql_where=sa.text("calendar_edition > 0")),
    # BRIN: the times grow with the table, and PostgreSQL 16+ keeps an update that touches only these a HOT one.
    sa.Index(
        "cases_times",
        "create_time",
        "submit_time",
        "accept_time",
        "decide_time",
        "close_time",
        "rate_time",
        postgresql_using="brin",
    ),
    comment="Cases. sealed: tongban.cases.v1.Case with title, parties, materials, form, correction, decision.",
)

case_history = sa.Table(
    "case_history",
    METADATA,
    sa.Column("case_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text, nullable=False),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("note", sa.LargeBinary),
    _time("event_time", nullable=False),
    info=EVIDENCE,
    comment="What was done with each case, step by step.",
)

case_standstills = sa.Table(
    "case_standstills",
    METADATA,
    sa.Column("case_id", sa.Uuid(as_uuid=False), primary_key=True),
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("procedure", sa.Text, nullable=False),
    sa.Column("reason", sa.LargeBinary),
    _time("start_time", nullable=False),
    _time("end_time"),
    comment="The ledger of a case's clock: the intervals in which it stood still.",
)

case_licenses = sa.Table(
    "case_licenses",
    METADATA,
    sa.Column("license", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("identifier", sa.Text, nullable=False),
    _time("issue_time", nullable=False),
    sa.Index("case_licenses_time", "issue_time"),
    info=EVIDENCE,
    comment="Licences issued on decisions, as the license service told.",
)

tasks = sa.Table(
    "tasks",
    METADATA,
    _id(),
    sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    _text("assignee"),
    sa.Column("due_date", sa.Date, nullable=False),
    _time("claim_time"),
    _time("end_time"),
    *_life(),
    sa.Index("tasks_case", "case_id"),
    sa.Index("tasks_open", "department", "due_date", "id", postgresql_where=sa.text("state IN ('OPEN', 'CLAIMED')")),
    comment="Work queues; a task without a deadline is due on 9999-12-31.",
)

deliveries = sa.Table(
    "deliveries",
    METADATA,
    _id(),
    sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False, unique=True),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    _text("tracking_number"),
    _text("confirmed_by"),
    _time("deliver_time"),
    *_life(),
    comment="Deliveries of results. sealed: tongban.cases.v1.Delivery with address and recipient.",
)

ratings = sa.Table(
    "ratings",
    METADATA,
    _id(),
    sa.Column("case_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("comment", sa.LargeBinary),
    sa.Column("indicators", ARRAY(sa.Text), nullable=False),
    sa.Column("rater", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("effective", sa.Boolean, nullable=False),
    _time("create_time", nullable=False),
    sa.UniqueConstraint("case_name", "kind"),
    info=EVIDENCE,
    comment="Ratings: one first and one follow-up a case.",
)

transfers = sa.Table(
    "transfers",
    METADATA,
    _id(),
    sa.Column("exchange_id", sa.Text, nullable=False),
    sa.Column("transaction_id", sa.Text, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("peer_region", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("task_code", sa.Text, nullable=False),
    sa.Column("item_display_name", sa.Text, nullable=False),
    _text("case_name"),
    _text("case_number"),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("owner_department", sa.Text, nullable=False),
    sa.Column("operator", sa.Text, nullable=False),
    _text("applicant"),
    _text("agent"),
    _text("progress_state"),
    _text("peer_transfer"),
    sa.Column("tolerated", sa.Boolean, nullable=False, server_default="false"),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("delegation", sa.LargeBinary),
    sa.Column("last_sent", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_receipted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_applied", sa.Integer, nullable=False, server_default="0"),
    _text("end_reason"),
    _text("waiting_reason"),
    # By the database's own clock, as next_attempt of the messages.
    _time("waiting_since"),
    sa.Column("acknowledgement", sa.LargeBinary),
    _time("receive_time"),
    _time("acknowledge_time"),
    *_life(),
    sa.UniqueConstraint("peer_region", "exchange_id", "direction"),
    sa.Index("transfers_case", "case_name", postgresql_where=sa.text("case_name <> ''")),
    sa.Index("transfers_list", "owner_department", "create_time", "id"),
    sa.Index("transfers_unanswered", "id", postgresql_where=sa.text("state = 'RECEIVED' AND direction = 'OUTBOUND'")),
    comment="One side's view of each exchange. sealed: tongban.cases.v1.Transfer with parties, progress and result.",
)

transfer_messages = sa.Table(
    "transfer_messages",
    METADATA,
    _id(),
    sa.Column("exchange_id", sa.Text, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("peer_region", sa.Text, nullable=False),
    sa.Column("incoming", sa.Boolean, nullable=False),
    sa.Column("sequence", sa.Integer),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, server_default=""),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("receipt", sa.LargeBinary),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    _text("last_error"),
    # By the machine's clock, and compared with the database's own now() only: the business clock may be a replayed one.
    sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    _time("waiting_since"),
    _time("waited_until"),
    sa.Column("waited", sa.Interval, nullable=False, server_default=sa.text("'0'::interval")),
    _time("create_time", nullable=False),
    sa.UniqueConstraint("peer_region", "exchange_id", "direction", "incoming", "sequence"),
    sa.Index(
        "transfer_messages_pending",
        "peer_region",
        "exchange_id",
        "direction",
        "sequence",
        postgresql_where=sa.text("state = 'PENDING'"),
    ),
    comment="Messages of exchanges, both ways. Outgoing: PENDING, RECEIPTED, REFUSED, ENDED; incoming: HELD, APPLIED.",
)
