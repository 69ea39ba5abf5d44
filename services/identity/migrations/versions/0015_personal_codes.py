"""Personal codes: what was scanned, how often, the cards that are bound, and other regions' keys of codes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from libs.db import columns

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("regions", sa.Column("code_keys", JSONB(), nullable=False, server_default="[]"))
    _code_scans()
    _code_counts()
    _credential_bindings()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("credential_bindings", "code_counts", "code_scans"):
        op.drop_table(table)
    op.drop_column("regions", "code_keys")


def _code_scans() -> None:
    op.create_table(
        "code_scans",
        columns.binary("code"),
        *columns.given("scene"),
        columns.binary("scan"),
        columns.moment("expire_time", nullable=False),
        sa.PrimaryKeyConstraint("code", "scene"),
        comment="Personal codes that were scanned, once in each scene; kept for a while behind their end.",
    )
    op.create_index("code_scans_expired", "code_scans", ["expire_time"])


def _code_counts() -> None:
    op.create_table(
        "code_counts",
        sa.Column("day", sa.Date(), nullable=False),
        *columns.given("kind"),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        *columns.amounts("amount"),
        sa.PrimaryKeyConstraint("day", "kind", "shard"),
        comment="How many personal codes were made and scanned on a day; the sum over the shards counts.",
    )


def _credential_bindings() -> None:
    op.create_table(
        "credential_bindings",
        columns.identifier(),
        columns.reference("person", "persons.id"),
        *columns.given("kind"),
        columns.binary("number"),
        columns.binary("number_index"),
        *columns.given("binder"),
        *columns.given("state"),
        columns.moment("unbind_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Cards bound to the personal codes of their holders; numbers are encrypted.",
    )
    op.create_index("credential_bindings_of_person", "credential_bindings", ["person", "create_time", "id"])
    active = sa.text("state = 'ACTIVE'")
    op.create_index(
        "credential_bindings_kind", "credential_bindings", ["person", "kind"], unique=True, postgresql_where=active
    )
    op.create_index(
        "credential_bindings_card", "credential_bindings", ["number_index"], unique=True, postgresql_where=active
    )
