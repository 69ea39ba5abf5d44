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
        "asserted_rights",
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("powers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "principal", "mandate"),
        comment="What other regions last asserted of their people's rights to act; the mandate is empty for representatives.",
    )
    op.create_table(
        "clients",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("auth_method", sa.Text(), nullable=False),
        sa.Column("jwks", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("old_jwks", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("secret_mac", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_mac", sa.LargeBinary(), nullable=True),
        sa.Column("overlap_expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("assertable", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        sa.Column("quota_per_second", sa.Integer(), nullable=False),
        sa.Column("quota_per_day", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("suspend_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Machines that call the API; a secret is stored as HMAC-SM3 under a key of the key store.",
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("case_name", sa.Text(), nullable=False),
        sa.Column("resources", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=True),
        sa.Column("granter", sa.Text(), nullable=False),
        sa.Column("mandate", sa.Text(), nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("withdraw_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("consents_subject", "consents", ["subject", "id"], unique=False)
    op.create_table(
        "departments",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("region_code", sa.Text(), nullable=False),
        sa.Column("parent", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["parent"],
            ["departments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Departments and their units.",
    )
    op.create_index(
        "departments_name", "departments", ["parent", "display_name"], unique=True, postgresql_nulls_not_distinct=True
    )
    op.create_index("departments_order", "departments", ["display_name", "id"], unique=False)
    op.create_table(
        "mandates",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("all_items", sa.Boolean(), nullable=False),
        sa.Column("item_codes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("powers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acceptance_required", sa.Boolean(), nullable=False),
        sa.Column("granter", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("accept_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Who may act for whom; the state EXPIRED follows from expire_time and is never stored.",
    )
    op.create_index("mandates_agent", "mandates", ["agent", "id"], unique=False)
    op.create_index("mandates_principal", "mandates", ["principal", "id"], unique=False)
    op.create_table(
        "persons",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("full_name", sa.LargeBinary(), nullable=False),
        sa.Column("document_type", sa.Text(), nullable=False),
        sa.Column("document_number", sa.LargeBinary(), nullable=False),
        sa.Column("document_index", sa.LargeBinary(), nullable=False),
        sa.Column("document_expire_date", sa.Date(), nullable=True),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("assurance", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("assurance_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Natural persons; one living account per document.",
    )
    op.create_index(
        "persons_document", "persons", ["document_index"], unique=True, postgresql_where=sa.text("state = 'ACTIVE'")
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("gateway_url", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("jwks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("root_certificate", sa.LargeBinary(), nullable=False),
        sa.Column("tls_authorities", sa.LargeBinary(), nullable=False),
        sa.Column("max_assurance", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("activate_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="The trust list: other regions and the keys pinned for them.",
    )
    op.create_index("regions_issuer", "regions", ["issuer"], unique=True, postgresql_where=sa.text("state <> 'ENDED'"))
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("uscc", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("legal_representative", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("legal_representative_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["legal_representative"],
            ["persons.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uscc"),
        comment="Legal persons and other organisations.",
    )
    op.create_index("organizations_representative", "organizations", ["legal_representative"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("department", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("duties", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["department"],
            ["departments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Posts: bundles of duties that don't exclude one another.",
    )
    op.create_index("posts_name", "posts", ["department", "display_name"], unique=True)
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("full_name", sa.LargeBinary(), nullable=False),
        sa.Column("staff_number", sa.Text(), nullable=False),
        sa.Column("department", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["department"],
            ["departments.id"],
        ),
        sa.ForeignKeyConstraint(
            ["person"],
            ["persons.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Members of departments' staff.",
    )
    op.create_index("staff_number", "staff", ["department", "staff_number"], unique=True)
    op.create_index("staff_order", "staff", ["staff_number", "id"], unique=False)
    op.create_index("staff_person", "staff", ["person"], unique=False, postgresql_where=sa.text("person IS NOT NULL"))
    op.create_table(
        "verifications",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("person", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("assurance", sa.SmallInteger(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("verify_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person"],
            ["persons.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Every check of a real name, passed or failed.",
        info={"evidence": True},
    )
    op.create_index("verifications_person", "verifications", ["person", "verify_time"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("staff", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("post", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post"],
            ["posts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["staff"],
            ["staff.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Who held which post from when until when; taking a post away ends the row and keeps it.",
    )
    op.create_index("assignments_post", "assignments", ["post"], unique=False)
    op.create_index("assignments_staff", "assignments", ["staff"], unique=False)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("assignments_staff", table_name="assignments")
    op.drop_index("assignments_post", table_name="assignments")
    op.drop_table("assignments")
    op.drop_index("verifications_person", table_name="verifications")
    op.drop_table("verifications")
    op.drop_index("staff_person", table_name="staff", postgresql_where=sa.text("person IS NOT NULL"))
    op.drop_index("staff_order", table_name="staff")
    op.drop_index("staff_number", table_name="staff")
    op.drop_table("staff")
    op.drop_index("posts_name", table_name="posts")
    op.drop_table("posts")
    op.drop_index("organizations_representative", table_name="organizations")
    op.drop_table("organizations")
    op.drop_index("regions_issuer", table_name="regions", postgresql_where=sa.text("state <> 'ENDED'"))
    op.drop_table("regions")
    op.drop_index("persons_document", table_name="persons", postgresql_where=sa.text("state = 'ACTIVE'"))
    op.drop_table("persons")
    op.drop_index("mandates_principal", table_name="mandates")
    op.drop_index("mandates_agent", table_name="mandates")
    op.drop_table("mandates")
    op.drop_index("departments_order", table_name="departments")
    op.drop_index("departments_name", table_name="departments", postgresql_nulls_not_distinct=True)
    op.drop_table("departments")
    op.drop_index("consents_subject", table_name="consents")
    op.drop_table("consents")
    op.drop_table("clients")
    op.drop_table("asserted_rights")
