"""People sign in here: what with, in which browsers, to which clients."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLES = ("authorization_requests", "sign_in_grants", "sign_in_attempts", "sessions", "enrollments", "authenticators")


def upgrade() -> None:
    """Applies this revision."""
    for column in ("redirect_uris", "post_logout_redirect_uris"):
        op.add_column("clients", columns.texts(column, empty=True))
    _authenticators()
    _enrollments()
    _sessions()
    _attempts()
    _grants()
    _requests()


def downgrade() -> None:
    """Takes this revision back."""
    for table in _TABLES:
        op.drop_table(table)
    for column in ("redirect_uris", "post_logout_redirect_uris"):
        op.drop_column("clients", column)


def _authenticators() -> None:
    op.create_table(
        "authenticators",
        columns.record_id(),
        *columns.given("person", "kind"),
        columns.binary("verifier"),
        sa.Column("assurance", sa.SmallInteger, nullable=False),
        *columns.given("state"),
        columns.moment("last_use_time"),
        *columns.amounts("used_step"),
        *columns.life(),
        comment="What people sign in with; a password is stored as argon2id, encrypted.",
    )
    op.create_index("authenticators_of_person", "authenticators", ["person", "create_time", "id"])
    op.create_index(
        "authenticators_in_use",
        "authenticators",
        ["person", "kind"],
        unique=True,
        postgresql_where=sa.text("state = 'ACTIVE'"),
    )


def _enrollments() -> None:
    op.create_table(
        "enrollments",
        columns.record_id(),
        *columns.given("person"),
        sa.Column("ticket", sa.LargeBinary, nullable=False, unique=True),
        *columns.given("kind"),
        sa.Column("assurance", sa.SmallInteger, nullable=False),
        columns.nothing_yet("secret"),
        columns.moment("expire_time", nullable=False),
        columns.moment("used_time"),
        columns.moment("create_time", nullable=False),
        comment="Opened pages at which people set up how they sign in; known by SM3 of the secret in the address.",
    )
    op.create_index("enrollments_of_person", "enrollments", ["person"])


def _sessions() -> None:
    op.create_table(
        "sessions",
        columns.record_id(),
        *columns.given("person"),
        sa.Column("cookie", sa.LargeBinary, nullable=False, unique=True),
        columns.texts("methods"),
        sa.Column("assurance", sa.SmallInteger, nullable=False),
        columns.binary("user_agent"),
        *columns.given("state"),
        columns.moment("auth_time", nullable=False),
        columns.moment("expire_time", nullable=False),
        columns.moment("finish_time"),
        *columns.life(),
        comment="Browsers in which people are signed in; known by SM3 of the cookie.",
    )
    op.create_index("sessions_of_person", "sessions", ["person", "create_time", "id"])


def _attempts() -> None:
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        columns.moment("last_time", nullable=False),
        comment="Sign-ins that did not succeed, by a keyed digest of the account's name or of the address.",
    )
    op.create_index("sign_in_attempts_last", "sign_in_attempts", ["last_time"])


def _grants() -> None:
    op.create_table(
        "sign_in_grants",
        columns.record_id(),
        *columns.given("client", "person"),
        columns.identifier("session"),
        *columns.given("scope", "redirect_uri", "nonce", "challenge"),
        sa.Column("code", sa.LargeBinary, nullable=False, unique=True),
        columns.moment("code_expire_time", nullable=False),
        columns.moment("code_use_time"),
        columns.texts("methods"),
        sa.Column("assurance", sa.SmallInteger, nullable=False),
        columns.moment("auth_time", nullable=False),
        columns.counted("generation"),
        columns.moment("rotate_time"),
        columns.moment("revoke_time"),
        columns.text("revoke_reason"),
        *columns.life(),
        comment="Sign-ins to clients; the code is stored as SM3, of refresh tokens only how many there were.",
    )
    op.create_index("sign_in_grants_of_person", "sign_in_grants", ["person", "client"])
    op.create_index("sign_in_grants_of_session", "sign_in_grants", ["session"])


def _requests() -> None:
    op.create_table(
        "authorization_requests",
        columns.record_id(),
        sa.Column("ticket", sa.LargeBinary, nullable=False, unique=True),
        *columns.given("client"),
        columns.json("parameters"),
        columns.nothing_yet("browser"),
        columns.text("person"),
        columns.moment("proven_time"),
        columns.moment("expire_time", nullable=False),
        columns.moment("create_time", nullable=False),
        comment="Authorization requests: pushed by their client (RFC 9126), or of a browser that is signing in.",
    )
    op.create_index("authorization_requests_expire", "authorization_requests", ["expire_time"])
