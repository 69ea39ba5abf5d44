"""The first schema of the identity service."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from libs.db import columns, common_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0001.upgrade()
    _persons()
    _organizations()
    _verifications()
    _mandates()
    _asserted_rights()
    _asserted_identities()
    _departments()
    _posts()
    _staff()
    _assignments()
    _clients()
    _regions()
    _withdrawals()
    _consents()


def downgrade() -> None:
    """Takes this revision back."""
    for table in _TABLES:
        op.drop_table(table)
    common_0001.downgrade()


_TABLES = (
    "consents",
    "withdrawals",
    "regions",
    "clients",
    "assignments",
    "staff",
    "posts",
    "departments",
    "asserted_identities",
    "asserted_rights",
    "mandates",
    "verifications",
    "organizations",
    "persons",
)


def _persons() -> None:
    op.create_table(
        "persons",
        columns.identifier(),
        columns.binary("full_name"),
        *columns.given("document_type"),
        columns.binary("document_number"),
        columns.binary("document_index"),
        sa.Column("document_expire_date", sa.Date(), nullable=True),
        columns.binary("phone", nullable=True),
        sa.Column("assurance", sa.SmallInteger(), server_default="0", nullable=False),
        columns.moment("assurance_time"),
        *columns.given("state"),
        columns.identifier("merged_into", nullable=True),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Natural persons; one living account per document.",
    )
    op.create_index(
        "persons_document", "persons", ["document_index"], unique=True, postgresql_where=sa.text("state = 'ACTIVE'")
    )


def _organizations() -> None:
    op.create_table(
        "organizations",
        columns.identifier(),
        *columns.given("display_name"),
        *columns.given("uscc"),
        *columns.given("kind"),
        columns.identifier("legal_representative", nullable=True),
        columns.moment("legal_representative_time"),
        *columns.given("state"),
        *columns.life(),
        sa.ForeignKeyConstraint(["legal_representative"], ["persons.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uscc"),
        comment="Legal persons and other organisations.",
    )
    op.create_index("organizations_representative", "organizations", ["legal_representative"], unique=False)


def _verifications() -> None:
    op.create_table(
        "verifications",
        columns.identifier(),
        columns.identifier("person"),
        *columns.given("method"),
        *columns.given("outcome"),
        sa.Column("assurance", sa.SmallInteger(), nullable=False),
        *columns.given("verifier"),
        columns.json("details"),
        columns.moment("verify_time", nullable=False),
        sa.ForeignKeyConstraint(["person"], ["persons.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Every check of a real name, passed or failed.",
        info={"evidence": True},
    )
    op.create_index("verifications_person", "verifications", ["person", "verify_time"], unique=False)


def _mandates() -> None:
    op.create_table(
        "mandates",
        columns.identifier(),
        *columns.given("principal"),
        *columns.given("agent"),
        sa.Column("all_items", sa.Boolean(), nullable=False),
        columns.texts("item_codes"),
        columns.texts("powers"),
        columns.moment("begin_time", nullable=False),
        columns.moment("expire_time", nullable=False),
        sa.Column("acceptance_required", sa.Boolean(), nullable=False),
        *columns.given("granter"),
        *columns.given("state"),
        columns.moment("accept_time"),
        columns.moment("revoke_time"),
        columns.text("revoke_reason"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Who may act for whom; the state EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("mandates_agent", "mandates", ["agent", "id"], unique=False)
    op.create_index("mandates_principal", "mandates", ["principal", "id"], unique=False)


def _asserted_rights() -> None:
    op.create_table(
        "asserted_rights",
        *columns.given("person"),
        *columns.given("principal"),
        *columns.given("mandate"),
        *columns.given("region"),
        columns.texts("item_codes"),
        columns.texts("powers"),
        columns.moment("expire_time"),
        columns.moment("assert_time", nullable=False),
        sa.PrimaryKeyConstraint("person", "principal", "mandate"),
        comment="What other regions last asserted of their people's rights to act; the mandate is empty for representatives.",
    )


def _asserted_identities() -> None:
    op.create_table(
        "asserted_identities",
        *columns.given("subject"),
        *columns.given("region"),
        columns.binary("sealed"),
        columns.moment("assert_time", nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        comment="Who other regions last said that their people and organisations are; sealed holds name and document.",
    )


def _departments() -> None:
    op.create_table(
        "departments",
        columns.identifier(),
        *columns.given("display_name"),
        *columns.given("uscc"),
        *columns.given("region_code"),
        columns.identifier("parent", nullable=True),
        *columns.life(),
        sa.ForeignKeyConstraint(["parent"], ["departments.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Departments and their units.",
    )
    op.create_index(
        "departments_name", "departments", ["parent", "display_name"], unique=True, postgresql_nulls_not_distinct=True
    )
    op.create_index("departments_order", "departments", ["display_name", "id"], unique=False)


def _posts() -> None:
    op.create_table(
        "posts",
        columns.identifier(),
        columns.identifier("department"),
        *columns.given("display_name"),
        columns.texts("duties"),
        *columns.life(),
        sa.ForeignKeyConstraint(["department"], ["departments.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Posts: bundles of duties that don't exclude one another.",
    )
    op.create_index("posts_name", "posts", ["department", "display_name"], unique=True)


def _staff() -> None:
    op.create_table(
        "staff",
        columns.identifier(),
        columns.binary("full_name"),
        *columns.given("staff_number"),
        columns.identifier("department"),
        columns.identifier("person"),
        *columns.given("state"),
        *columns.life(),
        sa.ForeignKeyConstraint(["department"], ["departments.id"]),
        sa.ForeignKeyConstraint(["person"], ["persons.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Members of departments' staff.",
    )
    op.create_index("staff_number", "staff", ["department", "staff_number"], unique=True)
    op.create_index("staff_order", "staff", ["staff_number", "id"], unique=False)
    op.create_index(
        "staff_person", "staff", ["person", "department"], unique=True, postgresql_where=sa.text("state = 'ACTIVE'")
    )


def _assignments() -> None:
    op.create_table(
        "assignments",
        columns.identifier(),
        columns.identifier("staff"),
        columns.identifier("post"),
        columns.moment("begin_time", nullable=False),
        columns.moment("expire_time"),
        sa.Column("state", sa.Text(), server_default="HELD", nullable=False),
        columns.texts("backers", empty=True),
        *columns.life(),
        sa.ForeignKeyConstraint(["post"], ["posts.id"]),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Who held which post from when until when; taking a post away ends the row and keeps it. What is WAITING is not held.",
    )
    op.create_index("assignments_post", "assignments", ["post"], unique=False)
    op.create_index("assignments_staff", "assignments", ["staff"], unique=False)


def _credentials() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.json("jwks", nullable=True),
        columns.json("old_jwks", nullable=True),
        columns.binary("secret_mac", nullable=True),
        columns.binary("old_secret_mac", nullable=True),
        columns.moment("overlap_expire_time"),
    )


def _clients() -> None:
    op.create_table(
        "clients",
        *columns.given("id"),
        *columns.given("display_name"),
        *columns.given("kind"),
        *columns.given("owner"),
        *columns.given("auth_method"),
        *_credentials(),
        columns.texts("scopes"),
        columns.texts("assertable"),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        sa.Column("quota_per_second", sa.Integer(), nullable=False),
        sa.Column("quota_per_day", sa.BigInteger(), nullable=False),
        *columns.given("state"),
        columns.text("suspend_reason"),
        columns.texts("backers", empty=True),
        columns.json("pending", nullable=True),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Machines that call the API; a secret is stored as HMAC-SM3 under a key of the key store.",
    )


def _regions() -> None:
    op.create_table(
        "regions",
        *columns.given("id"),
        *columns.given("display_name"),
        *columns.given("gateway_url"),
        *columns.given("issuer"),
        columns.json("jwks"),
        columns.binary("root_certificate"),
        columns.binary("tls_authorities"),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        *columns.given("state"),
        *columns.given("state_reason"),
        columns.moment("activate_time"),
        columns.moment("state_time", nullable=False),
        columns.texts("backers", empty=True),
        columns.binary("pending", nullable=True),
        columns.text("resuming"),
        columns.texts("resume_backers", empty=True),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="The trust list: other regions and the keys pinned for them.",
    )
    op.create_index("regions_issuer", "regions", ["issuer"], unique=True, postgresql_where=sa.text("state <> 'ENDED'"))


def _withdrawals() -> None:
    op.create_table(
        "withdrawals",
        *columns.given("party"),
        columns.moment("change_time", nullable=False),
        columns.moment("restore_time"),
        sa.PrimaryKeyConstraint("party"),
        comment="What no longer stands behind tokens; kept for as long as a token could outlive it.",
    )
    op.create_index("withdrawals_change", "withdrawals", ["change_time"], unique=False)


def _consents() -> None:
    op.create_table(
        "consents",
        columns.identifier(),
        *columns.given("subject"),
        *columns.given("recipient"),
        *columns.given("purpose"),
        *columns.given("case_name"),
        columns.texts("resources"),
        columns.moment("begin_time", nullable=False),
        columns.moment("expire_time", nullable=False),
        *columns.given("method"),
        columns.binary("evidence", nullable=True),
        *columns.given("granter"),
        *columns.given("mandate"),
        *columns.given("witness"),
        *columns.given("state"),
        columns.moment("withdraw_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("consents_subject", "consents", ["subject", "id"], unique=False)
