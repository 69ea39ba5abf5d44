"""What assertions rest on, and what other regions tell of theirs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "given_assertions",
        sa.Column("transaction", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("rests_on", ARRAY(sa.Text), nullable=False),
        sa.Column("acts_by", ARRAY(sa.Text), nullable=False),
        columns.moment("issue_time", nullable=False),
        columns.moment("give_time", nullable=False),
        comment="What assertions to other regions rest on; for as long as a token that was got for one may live.",
    )
    op.create_index("given_assertions_of_region", "given_assertions", ["region", "give_time"])
    op.create_index("given_assertions_time", "given_assertions", ["give_time"])
    op.create_index("given_assertions_parties", "given_assertions", ["rests_on"], postgresql_using="gin")
    op.create_table(
        "guest_homes",
        sa.Column("region", sa.Text, primary_key=True),
        columns.moment("guests_until", nullable=False),
        columns.moment("ask_time", nullable=False),
        columns.text("cursor"),
        columns.counted("misses"),
        columns.moment("silent_since"),
        comment="Regions whose guests hold tokens of this one: how far each has told what it withdrew.",
    )
    op.add_column("asserted_rights", columns.text("transaction"))
    op.create_index("asserted_rights_transaction", "asserted_rights", ["transaction"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("asserted_rights_transaction", "asserted_rights")
    op.drop_column("asserted_rights", "transaction")
    op.drop_table("guest_homes")
    op.drop_table("given_assertions")
