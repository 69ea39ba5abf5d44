"""The first schema of the identity service."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from libs.db import common_0001

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


def _id(name: str = "id", *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=nullable)


def _word(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text(), nullable=False)


def _text(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _texts(name: str) -> "sa.Column[Any]":
    return sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)


def _backers(name: str = "backers") -> "sa.Column[Any]":
    return sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _json(name: str, *, nullable: bool = True) -> "sa.Column[Any]":
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _life() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        _time("create_time"),
        _time("update_time"),
    )


def _persons() -> None:
    op.create_table(
        "persons",
        _id(),
        _bytes("full_name"),
        _word("document_type"),
        _bytes("document_number"),
        _bytes("document_index"),
        sa.Column("document_expire_date", sa.Date(), nullable=True),
        _bytes("phone", nullable=True),
        sa.Column("assurance", sa.SmallInteger(), server_default="0", nullable=False),
        _time("assurance_time", nullable=True),
        _word("state"),
        _id("merged_into", nullable=True),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Natural persons; one living account per document.",
    )
    op.create_index(
        "persons_document", "persons", ["document_index"], unique=True, postgresql_where=sa.text("state = 'ACTIVE'")
    )


def _organizations() -> None:
    op.create_table(
        "organizations",
        _id(),
        _word("display_name"),
        _word("uscc"),
        _word("kind"),
        _id("legal_representative", nullable=True),
        _time("legal_representative_time", nullable=True),
        _word("state"),
        *_life(),
        sa.ForeignKeyConstraint(["legal_representative"], ["persons.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uscc"),
        comment="Legal persons and other organisations.",
    )
    op.create_index("organizations_representative", "organizations", ["legal_representative"], unique=False)


def _verifications() -> None:
    op.create_table(
        "verifications",
        _id(),
        _id("person"),
        _word("method"),
        _word("outcome"),
        sa.Column("assurance", sa.SmallInteger(), nullable=False),
        _word("verifier"),
        _json("details", nullable=False),
        _time("verify_time"),
        sa.ForeignKeyConstraint(["person"], ["persons.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Every check of a real name, passed or failed.",
        info={"evidence": True},
    )
    op.create_index("verifications_person", "verifications", ["person", "verify_time"], unique=False)


def _mandates() -> None:
    op.create_table(
        "mandates",
        _id(),
        _word("principal"),
        _word("agent"),
        sa.Column("all_items", sa.Boolean(), nullable=False),
        _texts("item_codes"),
        _texts("powers"),
        _time("begin_time"),
        _time("expire_time"),
        sa.Column("acceptance_required", sa.Boolean(), nullable=False),
        _word("granter"),
        _word("state"),
        _time("accept_time", nullable=True),
        _time("revoke_time", nullable=True),
        _text("revoke_reason"),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Who may act for whom; the state EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("mandates_agent", "mandates", ["agent", "id"], unique=False)
    op.create_index("mandates_principal", "mandates", ["principal", "id"], unique=False)


def _asserted_rights() -> None:
    op.create_table(
        "asserted_rights",
        _word("person"),
        _word("principal"),
        _word("mandate"),
        _word("region"),
        _texts("item_codes"),
        _texts("powers"),
        _time("expire_time", nullable=True),
        _time("assert_time"),
        sa.PrimaryKeyConstraint("person", "principal", "mandate"),
        comment="What other regions last asserted of their people's rights to act; the mandate is empty for representatives.",
    )


def _asserted_identities() -> None:
    op.create_table(
        "asserted_identities",
        _word("subject"),
        _word("region"),
        _bytes("sealed"),
        _time("assert_time"),
        sa.PrimaryKeyConstraint("subject"),
        comment="Who other regions last said that their people and organisations are; sealed holds name and document.",
    )


def _departments() -> None:
    op.create_table(
        "departments",
        _id(),
        _word("display_name"),
        _word("uscc"),
        _word("region_code"),
        _id("parent", nullable=True),
        *_life(),
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
        _id(),
        _id("department"),
        _word("display_name"),
        _texts("duties"),
        *_life(),
        sa.ForeignKeyConstraint(["department"], ["departments.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Posts: bundles of duties that don't exclude one another.",
    )
    op.create_index("posts_name", "posts", ["department", "display_name"], unique=True)


def _staff() -> None:
    op.create_table(
        "staff",
        _id(),
        _bytes("full_name"),
        _word("staff_number"),
        _id("department"),
        _id("person"),
        _word("state"),
        *_life(),
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
        _id(),
        _id("staff"),
        _id("post"),
        _time("begin_time"),
        _time("expire_time", nullable=True),
        sa.Column("state", sa.Text(), server_default="HELD", nullable=False),
        _backers(),
        *_life(),
        sa.ForeignKeyConstraint(["post"], ["posts.id"]),
        sa.ForeignKeyConstraint(["staff"], ["staff.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Who held which post from when until when; taking a post away ends the row and keeps it. What is WAITING is not held.",
    )
    op.create_index("assignments_post", "assignments", ["post"], unique=False)
    op.create_index("assignments_staff", "assignments", ["staff"], unique=False)


def _credentials() -> "tuple[sa.Column[Any], ...]":
    return (
        _json("jwks"),
        _json("old_jwks"),
        _bytes("secret_mac", nullable=True),
        _bytes("old_secret_mac", nullable=True),
        _time("overlap_expire_time", nullable=True),
    )


def _clients() -> None:
    op.create_table(
        "clients",
        _word("id"),
        _word("display_name"),
        _word("kind"),
        _word("owner"),
        _word("auth_method"),
        *_credentials(),
        _texts("scopes"),
        _texts("assertable"),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        sa.Column("quota_per_second", sa.Integer(), nullable=False),
        sa.Column("quota_per_day", sa.BigInteger(), nullable=False),
        _word("state"),
        _text("suspend_reason"),
        _backers(),
        _json("pending"),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Machines that call the API; a secret is stored as HMAC-SM3 under a key of the key store.",
    )


def _regions() -> None:
    op.create_table(
        "regions",
        _word("id"),
        _word("display_name"),
        _word("gateway_url"),
        _word("issuer"),
        _json("jwks", nullable=False),
        _bytes("root_certificate"),
        _bytes("tls_authorities"),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        _word("state"),
        _word("state_reason"),
        _time("activate_time", nullable=True),
        _time("state_time"),
        _backers(),
        _bytes("pending", nullable=True),
        _text("resuming"),
        _backers("resume_backers"),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        comment="The trust list: other regions and the keys pinned for them.",
    )
    op.create_index("regions_issuer", "regions", ["issuer"], unique=True, postgresql_where=sa.text("state <> 'ENDED'"))


def _withdrawals() -> None:
    op.create_table(
        "withdrawals",
        _word("party"),
        _time("change_time"),
        _time("restore_time", nullable=True),
        sa.PrimaryKeyConstraint("party"),
        comment="What no longer stands behind tokens; kept for as long as a token could outlive it.",
    )
    op.create_index("withdrawals_change", "withdrawals", ["change_time"], unique=False)


def _consents() -> None:
    op.create_table(
        "consents",
        _id(),
        _word("subject"),
        _word("recipient"),
        _word("purpose"),
        _word("case_name"),
        _texts("resources"),
        _time("begin_time"),
        _time("expire_time"),
        _word("method"),
        _bytes("evidence", nullable=True),
        _word("granter"),
        _word("mandate"),
        _word("witness"),
        _word("state"),
        _time("withdraw_time", nullable=True),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("consents_subject", "consents", ["subject", "id"], unique=False)
