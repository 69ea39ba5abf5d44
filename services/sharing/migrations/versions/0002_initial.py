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
        "resources",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sharing_class", sa.Text(), nullable=False),
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("submit_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mount_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        comment="The catalogue; entry holds tongban.sharing.v1.CatalogEntry.",
    )
    op.create_table(
        "mounts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("resource_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("column_types", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("check_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("estimated_rows", sa.BigInteger(), nullable=True),
        sa.Column("findings", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resources.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("resource_id"),
        comment="Mounted tables; source holds tongban.sharing.v1.TableSource, column_types what the last check found.",
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("resource_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("consumer_region", sa.Text(), nullable=False),
        sa.Column("departments", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_person", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_phone", sa.LargeBinary(), nullable=False),
        sa.Column("submit_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_due_date", sa.Date(), nullable=True),
        sa.Column("pre_review_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pre_reviewer", sa.Text(), server_default="", nullable=False),
        sa.Column("review_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewer", sa.Text(), server_default="", nullable=False),
        sa.Column("opinions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("decide_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decider", sa.Text(), server_default="", nullable=False),
        sa.Column("refusal_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("grant_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("supply_due_date", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resources.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Requests; content holds RequestContent without the responsible person, who stands encrypted beside it.",
    )
    op.create_index("requests_consumer", "requests", ["consumer_region", "id"], unique=False)
    op.create_index("requests_resource", "requests", ["resource_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("resource_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("request_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("consumer_region", sa.Text(), nullable=False),
        sa.Column("departments", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["requests.id"],
        ),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["resources.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id"),
        comment="Grants; terms holds tongban.sharing.v1.GrantTerms.",
    )
    op.create_index("grants_consumer", "grants", ["consumer_region", "id"], unique=False)
    op.create_index("grants_resource", "grants", ["resource_id", "consumer_region"], unique=False)
    op.create_table(
        "grant_usage",
        sa.Column("grant_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("queries_today", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["grant_id"],
            ["grants.id"],
        ),
        sa.PrimaryKeyConstraint("grant_id"),
        comment="What was used of each grant: on the day of the last use (UTC+8), and since it began.",
    )


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("grant_usage")
    op.drop_index("grants_resource", table_name="grants")
    op.drop_index("grants_consumer", table_name="grants")
    op.drop_table("grants")
    op.drop_index("requests_resource", table_name="requests")
    op.drop_index("requests_consumer", table_name="requests")
    op.drop_table("requests")
    op.drop_table("mounts")
    op.drop_table("resources")
