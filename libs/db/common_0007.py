"""The tables of numbered events and of what ListChanges reads (``libs.db.schema``); each service has a revision that calls it."""

import sqlalchemy as sa
from alembic import op


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("outbox", sa.Column("public", sa.Boolean(), server_default=sa.false(), nullable=False))
    _event_sequences()
    _changes()


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("changes")
    op.drop_table("event_sequences")
    op.drop_column("outbox", "public")


def _event_sequences() -> None:
    op.create_table(
        "event_sequences",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "public"),
        comment="The number of the last event of a subject, counted by itself for those that others are told of.",
    )


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("log_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        comment="Public events in the order in which the one relay took them up, for five weeks: what ListChanges reads.",
    )
    op.create_index("changes_subject", "changes", ["subject", "position"])
    op.create_index("changes_log_time", "changes", ["log_time", "position"])
