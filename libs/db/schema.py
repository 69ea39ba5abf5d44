"""The tables that every service's database has: idempotency, outbox, parked events, uploads and the audit log.

The service's role may only SELECT and INSERT on tables marked ``evidence``: what was written there stays.
"""

import sqlalchemy as sa

from libs.db import columns

COMMON = sa.MetaData()
EVIDENCE = {"evidence": True}

idempotency = sa.Table(
    "idempotency",
    COMMON,
    sa.Column("caller", sa.Text, primary_key=True),
    sa.Column("method", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("response", sa.LargeBinary, nullable=False),
    sa.Column("record", sa.Text, nullable=False, server_default=""),
    sa.Column("create_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("idempotency_create_time", "create_time"),
    comment="The answer to each request_id, encrypted; for a consumed event also its inbox row.",
)

outbox = sa.Table(
    "outbox",
    COMMON,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("public", sa.Boolean, nullable=False, server_default=sa.false()),
    comment="CloudEvents that wait for the relay; a row is deleted once Redis has it.",
)

event_sequences = sa.Table(
    "event_sequences",
    COMMON,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("public", sa.Boolean, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    comment="The number of the last event of a subject, counted by itself for those that others are told of.",
)

changes = sa.Table(
    "changes",
    COMMON,
    sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("log_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("changes_subject", "subject", "position"),
    sa.Index("changes_log_time", "log_time", "position"),
    comment="Public events in the order in which the one relay took them up, for five weeks: what ListChanges reads.",
)

parked_events = sa.Table(
    "parked_events",
    COMMON,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("traceparent", sa.Text, nullable=False),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="5"),
    sa.Column("park_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("parked_events_time", "consumer", "park_time", "id"),
    comment="Events whose handling kept failing, for an operator to see and to replay.",
)

retries = sa.Table(
    "retries",
    COMMON,
    sa.Column("task", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("party", sa.Text, nullable=False),
    sa.Column("since", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False),
    sa.Column("last_reason", sa.Text, nullable=False, server_default=""),
    sa.Index("retries_due", "task", "next_attempt"),
    comment="What sweeps found undone, when they saw it first and when they try again; by the database's own clock.",
)

audit_records = sa.Table(
    "audit_records",
    COMMON,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("record_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("transaction_id", sa.Text, nullable=False),
    sa.Column("object", sa.Text, nullable=False),
    sa.Column("canonical", sa.LargeBinary, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    # Who did it, as the canonical bytes say it: what the log is searched by stands beside them.
    sa.Column("actor", sa.Text, nullable=False, server_default=""),
    # What for, likewise (libs.access.purposes).
    sa.Column("purpose_code", sa.Text, nullable=False, server_default=""),
    sa.Column("service_item", sa.Text, nullable=False, server_default=""),
    sa.Column("case_name", sa.Text, nullable=False, server_default=""),
    sa.Index("audit_records_transaction", "transaction_id"),
    sa.Index("audit_records_time", "record_time", "seq"),
    sa.Index("audit_records_of_object", "object", "record_time", "seq"),
    sa.Index("audit_records_actor", "actor", "record_time", "seq", postgresql_where=sa.text("actor <> ''")),
    sa.Index("audit_records_case", "case_name", "record_time", "seq", postgresql_where=sa.text("case_name <> ''")),
    info=EVIDENCE,
    comment="One row for everything that was done or refused; the canonical bytes are what the leaf hash is made over.",
)

data_uses = sa.Table(
    "data_uses",
    COMMON,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("record_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("record_seq", sa.BigInteger, nullable=False),
    sa.Index("data_uses_of_subject", "subject", "record_time", "id"),
    info=EVIDENCE,
    comment="Of whose data a record of the log tells: what people are shown as the uses of their data.",
)

audit_pending = sa.Table(
    "audit_pending",
    COMMON,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Records that have no leaf yet; the integrator deletes a row when it has given the record its place.",
)

audit_leaves = sa.Table(
    "audit_leaves",
    COMMON,
    sa.Column("leaf_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("record_seq", sa.BigInteger, nullable=False, unique=True),
    info=EVIDENCE,
    comment="The place of each record in the Merkle tree.",
)

audit_nodes = sa.Table(
    "audit_nodes",
    COMMON,
    sa.Column("level", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("node_index", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    info=EVIDENCE,
    comment="Roots of complete subtrees: level 0 holds the leaf hashes.",
)

audit_heads = sa.Table(
    "audit_heads",
    COMMON,
    sa.Column("tree_size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root_hash", sa.LargeBinary, nullable=False),
    sa.Column("sign_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("certificate", sa.LargeBinary, nullable=False),
    info=EVIDENCE,
    comment="Signed tree heads.",
)

uploads = sa.Table(
    "uploads",
    COMMON,
    columns.record_id(),
    *columns.given("owner", "media_type"),
    sa.Column("size", sa.BigInteger, nullable=False),
    columns.text("digest"),
    sa.Column("received", sa.BigInteger, nullable=False, server_default="0"),
    *columns.given("state"),
    columns.moment("expire_time", nullable=False),
    *columns.life(),
    sa.Index("uploads_owner", "owner"),
    sa.Index("uploads_expire_time", "expire_time"),
    comment="Files on their way here, and those that are here for a day; by the database's own clock.",
)

upload_parts = sa.Table(
    "upload_parts",
    COMMON,
    columns.record_id(),
    columns.reference("upload_id", "uploads.id"),
    sa.Column("number", sa.Integer, nullable=False),
    columns.counted("size"),
    sa.Index("upload_parts_upload", "upload_id", "number"),
    comment="Where the bytes of uploads lie in the object store; size 0 where a part was not written to its end.",
)

operations = sa.Table(
    "operations",
    COMMON,
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
    sa.Index("operations_time", "create_time", "id"),
    sa.Index("operations_owner", "owner", "create_time", "id"),
    sa.Index("operations_waiting", "lease_time", postgresql_where=sa.text("end_time IS NULL")),
    sa.Index("operations_expire_time", "expire_time"),
    comment="Work that takes longer than a call: how far it is, who has it until when, and what came of it.",
)
