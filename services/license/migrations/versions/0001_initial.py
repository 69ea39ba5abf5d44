"""The first schema of the license service."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from libs.db import columns, common_0001

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    common_0001.upgrade()
    _license_types()
    _licenses()
    _license_uses()
    _presentations()
    _materials()
    _handled_cases()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("handled_cases", "materials", "presentations", "license_uses", "licenses", "license_types"):
        op.drop_table(table)
    common_0001.downgrade()


def _license_types() -> None:
    op.create_table(
        "license_types",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("defining_authority", sa.Text(), nullable=False),
        sa.Column("holder_category", sa.Text(), nullable=False),
        sa.Column("face_fields", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("validity_months", sa.Integer(), nullable=False),
        sa.Column("page_layout", sa.Text(), nullable=False),
        columns.texts("item_codes"),
        columns.texts("original_item_codes"),
        sa.Column("state", sa.Text(), nullable=False),
        columns.moment("publish_time"),
        columns.moment("deprecate_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        comment="The region's catalogue of licence types.",
    )
    op.create_index("license_types_items", "license_types", ["item_codes"], unique=False, postgresql_using="gin")


def _of_the_license() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("license_type", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("type_code", sa.Text(), nullable=False),
        sa.Column("type_display_name", sa.Text(), nullable=False),
        sa.Column("license_version", sa.SmallInteger(), nullable=False),
        sa.Column("issuer_department", sa.Text(), nullable=False),
        sa.Column("issuer_name", sa.Text(), nullable=False),
        sa.Column("issuer_code", sa.Text(), nullable=False),
        columns.texts("holders"),
        columns.texts("organization_names"),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        columns.text("item_code"),
        columns.text("case_name"),
        columns.text("receiving_region"),
    )


def _of_its_files() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("face_check", sa.Text(), nullable=False),
        sa.Column("qr_content", sa.Text(), nullable=False),
        sa.Column("page_digest", sa.Text(), nullable=False),
        sa.Column("ofd_digest", sa.Text(), nullable=True),
        sa.Column("ofd_size", sa.Integer(), nullable=True),
        sa.Column("pdf_digest", sa.Text(), nullable=True),
        sa.Column("pdf_size", sa.Integer(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.Column("seal_id", sa.Text(), nullable=False),
        sa.Column("seal_diameter", sa.SmallInteger(), nullable=False),
        sa.Column("seal_attempt", sa.SmallInteger(), server_default="1", nullable=False),
        columns.text("sealing"),
        columns.text("previous_identifier"),
        columns.text("associated_identifier"),
        columns.text("next_identifier"),
    )


def _of_its_life() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("state", sa.Text(), nullable=False),
        columns.text("state_reason"),
        columns.text("state_legal_basis"),
        columns.moment("state_time"),
        columns.moment("issue_time"),
        columns.moment("suspend_time"),
        columns.moment("resume_time"),
        columns.moment("revoke_time"),
        columns.moment("withdraw_time"),
        columns.moment("cancel_time"),
        columns.moment("expire_time"),
        columns.moment("transfer_time"),
        columns.moment("void_time"),
    )


def _licenses() -> None:
    op.create_table(
        "licenses",
        *_of_the_license(),
        *_of_its_files(),
        *_of_its_life(),
        *columns.life(),
        sa.ForeignKeyConstraint(["license_type"], ["license_types.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
        comment="Licences, one row a version. A draft is the committed intent of a signing.",
    )
    _license_indexes()


def _license_indexes() -> None:
    op.create_index(
        "licenses_case",
        "licenses",
        ["case_name", "license_type"],
        unique=True,
        postgresql_where=sa.text("case_name <> '' AND state <> 'VOIDED'"),
    )
    op.create_index("licenses_drafts", "licenses", ["id"], unique=False, postgresql_where=sa.text("state = 'DRAFT'"))
    op.create_index("licenses_holders", "licenses", ["holders"], unique=False, postgresql_using="gin")
    op.create_index("licenses_issuer", "licenses", ["issuer_department", "id"], unique=False)
    op.create_index("licenses_number", "licenses", ["license_type", "number_index"], unique=True)
    op.create_index(
        "licenses_ofd", "licenses", ["ofd_digest"], unique=False, postgresql_where=sa.text("ofd_digest IS NOT NULL")
    )
    op.create_index(
        "licenses_pdf", "licenses", ["pdf_digest"], unique=False, postgresql_where=sa.text("pdf_digest IS NOT NULL")
    )
    op.create_index(
        "licenses_voided_case",
        "licenses",
        ["case_name", "license_type", "id"],
        unique=False,
        postgresql_where=sa.text("case_name <> '' AND state = 'VOIDED'"),
    )


def _license_uses() -> None:
    op.create_table(
        "license_uses",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("license_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("license_identifier", sa.Text(), nullable=False),
        sa.Column("issuer_department", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        columns.text("presentation"),
        sa.Column("purpose", sa.Text(), nullable=False),
        columns.text("case_name"),
        columns.text("legal_basis"),
        columns.text("department"),
        columns.text("operator"),
        columns.text("transaction_id"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("copy_digest", sa.Text(), nullable=True),
        sa.Column("copy_media_type", sa.Text(), nullable=True),
        sa.Column("copy_size", sa.Integer(), nullable=True),
        columns.moment("copy_expire_time"),
        sa.Column("use_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Every use of a licence: who, what for, why it was allowed.",
        info={"evidence": True},
    )
    _license_use_indexes()


def _license_use_indexes() -> None:
    op.create_index(
        "license_uses_case",
        "license_uses",
        ["case_name", "id"],
        unique=False,
        postgresql_where=sa.text("case_name <> ''"),
    )
    op.create_index(
        "license_uses_copy",
        "license_uses",
        ["copy_digest"],
        unique=False,
        postgresql_where=sa.text("copy_digest IS NOT NULL"),
    )
    op.create_index("license_uses_license", "license_uses", ["license_id", "id"], unique=False)


def _presentations() -> None:
    op.create_table(
        "presentations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        columns.texts("licenses"),
        sa.Column("verifier", sa.Text(), nullable=False),
        columns.text("item_code"),
        sa.Column("purpose", sa.Text(), nullable=False),
        columns.text("case_name"),
        columns.text("legal_basis"),
        columns.text("department"),
        columns.text("operator"),
        columns.text("transaction_id"),
        columns.text("consent"),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("redeem_count", sa.Integer(), server_default="0", nullable=False),
        columns.text("redeemer"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        columns.moment("redeem_time"),
        columns.moment("withdraw_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code_digest"),
        comment="Licences handed to a verifier by their holder.",
    )
    op.create_index("presentations_holder", "presentations", ["holder", "id"], unique=False)


def _materials() -> None:
    op.create_table(
        "materials",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("file_name", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        columns.text("case_name"),
        columns.text("handling_region"),
        sa.Column("reusable", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("uploader", sa.Text(), nullable=False),
        sa.Column("reuse_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        columns.moment("erase_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Files that people and firms handed in; their bytes lie in the document store.",
    )
    op.create_index("materials_owner", "materials", ["owner", "id"], unique=False)


def _handled_cases() -> None:
    op.create_table(
        "handled_cases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        columns.texts("parties"),
        columns.texts("type_codes"),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("handlers", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("materials", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("name"),
        comment="What the cases service told of cases: who may read what of whom for them.",
    )
