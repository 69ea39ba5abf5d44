"""The first schema of the sharing service."""

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
    _resources()
    _mounts()
    _requests()
    _grants()
    _grant_usage()
    _calendar_years()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("calendar_years", "grant_usage", "grants", "requests", "mounts", "resources"):
        op.drop_table(table)
    common_0001.downgrade()


def _sides() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("consumer_region", sa.Text(), nullable=False),
        sa.Column("departments", postgresql.ARRAY(sa.Text()), nullable=False),
    )


def _resources() -> None:
    op.create_table(
        "resources",
        columns.identifier(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sharing_class", sa.Text(), nullable=False),
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        columns.moment("submit_time"),
        columns.moment("publish_time"),
        sa.Column("mount_id", sa.Uuid(as_uuid=False), nullable=True),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        comment="The catalogue; entry holds tongban.sharing.v1.CatalogEntry.",
    )


def _mounts() -> None:
    op.create_table(
        "mounts",
        columns.identifier(),
        columns.identifier("resource_id"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("column_types", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        columns.texts("key_columns", empty=True),
        columns.moment("check_time"),
        sa.Column("estimated_rows", sa.BigInteger(), nullable=True),
        columns.texts("findings", empty=True),
        *columns.life(),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("resource_id"),
        comment="Mounted tables; source holds tongban.sharing.v1.TableSource, column_types what the last check found.",
    )


def _of_its_steps() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.moment("submit_time"),
        sa.Column("answer_days", sa.SmallInteger(), nullable=True),
        columns.moment("pre_review_time"),
        columns.text("pre_reviewer"),
        columns.moment("review_time"),
        columns.text("reviewer"),
        sa.Column("opinions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        columns.moment("decide_time"),
        columns.text("decider"),
        columns.text("refusal_reason"),
        sa.Column("grant_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("supply_days", sa.SmallInteger(), nullable=True),
        columns.text("applicant_human"),
        columns.text("pre_reviewer_human"),
        columns.text("reviewer_human"),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        columns.identifier(),
        columns.identifier("resource_id"),
        *_sides(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_person", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_phone", sa.LargeBinary(), nullable=False),
        *_of_its_steps(),
        *columns.life(),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Requests; content holds RequestContent without the responsible person, who stands encrypted beside it.",
    )
    op.create_index("requests_consumer", "requests", ["consumer_region", "id"], unique=False)
    op.create_index("requests_resource", "requests", ["resource_id"], unique=False)


def _grants() -> None:
    op.create_table(
        "grants",
        columns.identifier(),
        columns.identifier("resource_id"),
        columns.identifier("request_id"),
        *_sides(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        *columns.life(),
        sa.ForeignKeyConstraint(["request_id"], ["requests.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id"),
        comment="Grants; terms holds tongban.sharing.v1.GrantTerms.",
    )
    op.create_index("grants_consumer", "grants", ["consumer_region", "id"], unique=False)
    op.create_index("grants_resource", "grants", ["resource_id", "consumer_region"], unique=False)


def _grant_usage() -> None:
    op.create_table(
        "grant_usage",
        columns.identifier("grant_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("queries_today", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"]),
        sa.PrimaryKeyConstraint("grant_id"),
        comment="What was used of each grant: on the day of the last use (UTC+8), and since it began.",
    )


def _calendar_years() -> None:
    op.create_table(
        "calendar_years",
        sa.Column("year", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("year"),
        comment="A copy of the calendar of cases: the kind of each day of a year, in order.",
    )
