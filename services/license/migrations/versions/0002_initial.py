"""initial

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
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
        sa.Column("item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("original_item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("publish_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deprecate_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        comment="The region's catalogue of licence types.",
    )
    op.create_index("license_types_items", "license_types", ["item_codes"], unique=False, postgresql_using="gin")
    op.create_table(
        "license_uses",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("license_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("license_identifier", sa.Text(), nullable=False),
        sa.Column("issuer_department", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("presentation", sa.Text(), server_default="", nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("case_name", sa.Text(), server_default="", nullable=False),
        sa.Column("legal_basis", sa.Text(), server_default="", nullable=False),
        sa.Column("department", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), server_default="", nullable=False),
        sa.Column("transaction_id", sa.Text(), server_default="", nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("copy_digest", sa.Text(), nullable=True),
        sa.Column("copy_media_type", sa.Text(), nullable=True),
        sa.Column("copy_size", sa.Integer(), nullable=True),
        sa.Column("copy_expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("use_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Every use of a licence: who, what for, why it was allowed.",
        info={"evidence": True},
    )
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
    op.create_table(
        "materials",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("file_name", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("case_name", sa.Text(), server_default="", nullable=False),
        sa.Column("handling_region", sa.Text(), server_default="", nullable=False),
        sa.Column("reusable", sa.Boolean(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("uploader", sa.Text(), nullable=False),
        sa.Column("reuse_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("erase_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Files that people and firms handed in; their bytes lie in the document store.",
    )
    op.create_index("materials_owner", "materials", ["owner", "id"], unique=False)
    op.create_table(
        "presentations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("licenses", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("item_code", sa.Text(), server_default="", nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("case_name", sa.Text(), server_default="", nullable=False),
        sa.Column("legal_basis", sa.Text(), server_default="", nullable=False),
        sa.Column("department", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), server_default="", nullable=False),
        sa.Column("transaction_id", sa.Text(), server_default="", nullable=False),
        sa.Column("consent", sa.Text(), server_default="", nullable=False),
        sa.Column("single_use", sa.Boolean(), nullable=False),
        sa.Column("redeem_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("redeemer", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("redeem_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdraw_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code_digest"),
        comment="Licences handed to a verifier by their holder.",
    )
    op.create_index("presentations_holder", "presentations", ["holder", "id"], unique=False)
    op.create_table(
        "licenses",
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
        sa.Column("holders", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("organization_names", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("item_code", sa.Text(), server_default="", nullable=False),
        sa.Column("case_name", sa.Text(), server_default="", nullable=False),
        sa.Column("receiving_region", sa.Text(), server_default="", nullable=False),
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
        sa.Column("sealing", sa.Text(), server_default="", nullable=False),
        sa.Column("previous_identifier", sa.Text(), server_default="", nullable=False),
        sa.Column("associated_identifier", sa.Text(), server_default="", nullable=False),
        sa.Column("next_identifier", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state_legal_basis", sa.Text(), server_default="", nullable=False),
        sa.Column("state_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issue_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspend_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resume_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdraw_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("transfer_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["license_type"],
            ["license_types.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
        comment="Licences, one row a version. A draft is the committed intent of a signing.",
    )
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


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("licenses_pdf", table_name="licenses", postgresql_where=sa.text("pdf_digest IS NOT NULL"))
    op.drop_index("licenses_ofd", table_name="licenses", postgresql_where=sa.text("ofd_digest IS NOT NULL"))
    op.drop_index("licenses_number", table_name="licenses")
    op.drop_index("licenses_issuer", table_name="licenses")
    op.drop_index("licenses_holders", table_name="licenses", postgresql_using="gin")
    op.drop_index("licenses_drafts", table_name="licenses", postgresql_where=sa.text("state = 'DRAFT'"))
    op.drop_index(
        "licenses_case", table_name="licenses", postgresql_where=sa.text("case_name <> '' AND state <> 'VOIDED'")
    )
    op.drop_table("licenses")
    op.drop_index("presentations_holder", table_name="presentations")
    op.drop_table("presentations")
    op.drop_index("materials_owner", table_name="materials")
    op.drop_table("materials")
    op.drop_index("license_uses_license", table_name="license_uses")
    op.drop_index("license_uses_copy", table_name="license_uses", postgresql_where=sa.text("copy_digest IS NOT NULL"))
    op.drop_index("license_uses_case", table_name="license_uses", postgresql_where=sa.text("case_name <> ''"))
    op.drop_table("license_uses")
    op.drop_index("license_types_items", table_name="license_types", postgresql_using="gin")
    op.drop_table("license_types")
