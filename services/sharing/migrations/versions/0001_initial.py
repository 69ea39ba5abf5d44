"""The first schema of the sharing service."""

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
    _resources()
    _mounts()
    _requests()
    _grants()
    _grant_usage()


def downgrade() -> None:
    """Takes this revision back."""
    for table in ("grant_usage", "grants", "requests", "mounts", "resources"):
        op.drop_table(table)
    common_0001.downgrade()


def _id(name: str = "id") -> "sa.Column[Any]":
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=False)


def _text(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _texts(name: str) -> "sa.Column[Any]":
    return sa.Column(name, postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)


def _moment(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=True)


def _sides() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("consumer_region", sa.Text(), nullable=False),
        sa.Column("departments", postgresql.ARRAY(sa.Text()), nullable=False),
    )


def _life() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )


def _resources() -> None:
    op.create_table(
        "resources",
        _id(),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sharing_class", sa.Text(), nullable=False),
        sa.Column("provider_department", sa.Text(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        _moment("submit_time"),
        _moment("publish_time"),
        sa.Column("mount_id", sa.Uuid(as_uuid=False), nullable=True),
        *_life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        comment="The catalogue; entry holds tongban.sharing.v1.CatalogEntry.",
    )


def _mounts() -> None:
    op.create_table(
        "mounts",
        _id(),
        _id("resource_id"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.LargeBinary(), nullable=False),
        sa.Column("column_types", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        _texts("key_columns"),
        _moment("check_time"),
        sa.Column("estimated_rows", sa.BigInteger(), nullable=True),
        _texts("findings"),
        *_life(),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("resource_id"),
        comment="Mounted tables; source holds tongban.sharing.v1.TableSource, column_types what the last check found.",
    )


def _of_its_steps() -> "tuple[sa.Column[Any], ...]":
    return (
        _moment("submit_time"),
        sa.Column("answer_days", sa.SmallInteger(), nullable=True),
        _moment("pre_review_time"),
        _text("pre_reviewer"),
        _moment("review_time"),
        _text("reviewer"),
        sa.Column("opinions", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        _moment("decide_time"),
        _text("decider"),
        _text("refusal_reason"),
        sa.Column("grant_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("supply_days", sa.SmallInteger(), nullable=True),
        _text("applicant_human"),
        _text("pre_reviewer_human"),
        _text("reviewer_human"),
    )


def _requests() -> None:
    op.create_table(
        "requests",
        _id(),
        _id("resource_id"),
        *_sides(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("applicant", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_person", sa.LargeBinary(), nullable=False),
        sa.Column("responsible_phone", sa.LargeBinary(), nullable=False),
        *_of_its_steps(),
        *_life(),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.id"]),
        sa.PrimaryKeyConstraint("id"),
        comment="Requests; content holds RequestContent without the responsible person, who stands encrypted beside it.",
    )
    op.create_index("requests_consumer", "requests", ["consumer_region", "id"], unique=False)
    op.create_index("requests_resource", "requests", ["resource_id"], unique=False)


def _grants() -> None:
    op.create_table(
        "grants",
        _id(),
        _id("resource_id"),
        _id("request_id"),
        *_sides(),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        *_life(),
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
        _id("grant_id"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("queries_today", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"]),
        sa.PrimaryKeyConstraint("grant_id"),
        comment="What was used of each grant: on the day of the last use (UTC+8), and since it began.",
    )
