"""Identity providers of others at which people sign in."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0031"
down_revision = "0030"
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
    _links()
    _visits()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("upstream_visits", "account_links", "upstreams"):
        op.drop_table(table)


def _links() -> None:
    op.create_table(
        "account_links",
        columns.record_id(),
        *columns.given("person"),
        columns.reference("upstream", "upstreams.id"),
        columns.binary("account"),
        sa.Column("assurance", sa.SmallInteger, nullable=False),
        *columns.given("state"),
        columns.moment("last_use_time"),
        *columns.life(),
        comment="Which accounts of identity providers belong to which people; known by a blind index of issuer and subject.",
    )
    op.create_index("account_links_of_person", "account_links", ["person", "create_time", "id"])
    living = sa.text("state = 'ACTIVE'")
    op.create_index("account_links_account", "account_links", ["account"], unique=True, postgresql_where=living)


def _visits() -> None:
    op.create_table(
        "upstream_visits",
        columns.record_id(),
        columns.binary("state"),
        columns.reference("upstream", "upstreams.id"),
        columns.binary("browser"),
        columns.binary("request"),
        columns.binary("secrets"),
        columns.nothing_yet("account"),
        columns.moment("expire_time", nullable=False),
        columns.moment("create_time", nullable=False),
        comment="Who is on their way to an identity provider, or came back by an account that belongs to nobody here; secrets are encrypted.",
    )
    op.create_index("upstream_visits_state", "upstream_visits", ["state"], unique=True)
    op.create_index("upstream_visits_expire", "upstream_visits", ["expire_time"])
