"""Identity providers of others at which people sign in."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0031"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.create_table(
        "upstreams",
        columns.record_id(),
        *columns.given("display_name", "display_name_en", "issuer", "client_id"),
        columns.texts("scopes"),
        *columns.given("number_claim", "full_name_claim"),
        columns.texts("levels"),
        sa.Column("max_assurance", sa.SmallInteger, nullable=False),
        *columns.given("state"),
        columns.texts("backers", empty=True),
        columns.text("end_reason"),
        *columns.life(),
        comment="OpenID providers of others at which people sign in to this region.",
    )
    op.create_index(
        "upstreams_issuer", "upstreams", ["issuer"], unique=True, postgresql_where=sa.text("state <> 'ENDED'")
    )
    op.create_index("upstreams_created", "upstreams", ["create_time", "id"])


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("upstreams")
