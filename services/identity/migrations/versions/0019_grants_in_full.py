"""Sign-ins to clients in full: at devices, told of when they end, shown to whose they are and taken back by them."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_OF_CLIENTS = ("backchannel_logout_uri", "backchannel_logout_session_required", "device_sign_in")
_OF_GRANTS = ("address", "device_name", "expire_time")


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("clients", columns.text("backchannel_logout_uri"))
    for column in ("backchannel_logout_session_required", "device_sign_in"):
        op.add_column("clients", columns.no(column))
    op.add_column("authorization_requests", columns.identifier("device", nullable=True))
    for column in ("address", "device_name"):
        op.add_column("sign_in_grants", columns.nothing_yet(column))
    op.add_column("sign_in_grants", columns.moment("expire_time"))
    op.create_index("sign_in_grants_listed", "sign_in_grants", ["person", "create_time", "id"])
    stands = sa.text("revoke_time IS NULL")
    op.create_index("sign_in_grants_at_client", "sign_in_grants", ["client"], postgresql_where=stands)
    _devices()
    _notices()


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("logout_notices")
    op.drop_table("device_authorizations")
    op.drop_index("sign_in_grants_at_client", "sign_in_grants")
    op.drop_index("sign_in_grants_listed", "sign_in_grants")
    for column in _OF_GRANTS:
        op.drop_column("sign_in_grants", column)
    op.drop_column("authorization_requests", "device")
    for column in _OF_CLIENTS:
        op.drop_column("clients", column)


def _devices() -> None:
    op.create_table(
        "device_authorizations",
        columns.record_id(),
        *columns.given("client"),
        sa.Column("device_code", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_code", sa.LargeBinary, nullable=False, unique=True),
        *columns.given("scope", "state"),
        columns.text("acr_values"),
        columns.nothing_yet("device_name"),
        columns.nothing_yet("address"),
        columns.identifier("sign_in_grant", nullable=True),
        sa.Column("interval_seconds", sa.Integer, nullable=False),
        columns.moment("poll_time"),
        columns.moment("expire_time", nullable=False),
        columns.moment("create_time", nullable=False),
        comment="Devices at which somebody wants to sign in (RFC 8628); codes stand as digests.",
    )
    op.create_index("device_authorizations_expire", "device_authorizations", ["expire_time"])


def _notices() -> None:
    op.create_table(
        "logout_notices",
        columns.record_id(),
        *columns.given("client", "person"),
        columns.identifier("session"),
        columns.counted("attempts"),
        columns.moment("attempt_time", nullable=False),
        columns.moment("lease_time"),
        columns.moment("create_time", nullable=False),
        comment="Clients that must still be told that a sign-in ended (OpenID Connect Back-Channel Logout).",
    )
    op.create_index("logout_notices_due", "logout_notices", ["attempt_time"])
    op.create_index("logout_notices_of_client", "logout_notices", ["client", "lease_time"])
