"""The first revision of the tables that every service has (``libs.db.schema``); each service's ``0001`` calls it.

A revision that was released is never edited: what changes then comes as ``common_0002`` and a revision of each service.
"""

import sqlalchemy as sa
from alembic import op

_TABLES = (
    "audit_heads",
    "audit_leaves",
    "audit_nodes",
    "audit_pending",
    "audit_records",
    "idempotency",
    "outbox",
    "parked_events",
    "retries",
)


def upgrade() -> None:
    """Applies this revision."""
    _audit_heads()
    _audit_leaves()
    _audit_nodes()
    _audit_pending()
    _audit_records()
    _idempotency()
    _outbox()
    _parked_events()
    _retries()


def downgrade() -> None:
    """Takes this revision back."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _audit_heads() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sign_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size"),
        comment="Signed tree heads.",
    )


def _audit_leaves() -> None:
    op.create_table(
        "audit_leaves",
        sa.Column("leaf_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
        sa.UniqueConstraint("record_seq"),
        comment="The place of each record in the Merkle tree.",
    )


def _audit_nodes() -> None:
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("node_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "node_index"),
        comment="Roots of complete subtrees: level 0 holds the leaf hashes.",
    )


def _audit_pending() -> None:
    op.create_table(
        "audit_pending",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        comment="Records that have no leaf yet; the integrator deletes a row when it has given the record its place.",
    )


def _audit_records() -> None:
    op.create_table(
        "audit_records",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("record_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        comment="One row for everything that was done or refused; the canonical bytes are what the leaf hash is made over.",
    )
    op.create_index("audit_records_object", "audit_records", ["object", "seq"], unique=False)
    op.create_index("audit_records_transaction", "audit_records", ["transaction_id"], unique=False)


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "request_id"),
        comment="The answer to each request_id, encrypted; for a consumed event also its inbox row.",
    )
    op.create_index("idempotency_create_time", "idempotency", ["create_time"], unique=False)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        comment="CloudEvents that wait for the relay; a row is deleted once Redis has it.",
    )


def _parked_events() -> None:
    op.create_table(
        "parked_events",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="5", nullable=False),
        sa.Column("park_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "id"),
        comment="Events whose handling kept failing, for an operator to see and to replay.",
    )


def _retries() -> None:
    op.create_table(
        "retries",
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("task", "key"),
        comment="What sweeps found undone, when they saw it first and when they try again; by the database's own clock.",
    )
    op.create_index("retries_due", "retries", ["task", "next_attempt"], unique=False)
