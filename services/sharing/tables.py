"""The tables of the sharing service. What the contract describes as a whole is stored as its protobuf bytes."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

METADATA = sa.MetaData()


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def _life() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )


def _resource_id(*, unique: bool = False) -> sa.Column[str]:
    return sa.Column(
        "resource_id", sa.Uuid(as_uuid=False), sa.ForeignKey("resources.id"), nullable=False, unique=unique
    )


resources = sa.Table(
    "resources",
    METADATA,
    _id(),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("sharing_class", sa.Text, nullable=False),
    sa.Column("provider_department", sa.Text, nullable=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Column("submit_time", sa.DateTime(timezone=True)),
    sa.Column("publish_time", sa.DateTime(timezone=True)),
    sa.Column("mount_id", sa.Uuid(as_uuid=False)),
    *_life(),
    comment="The catalogue; entry holds tongban.sharing.v1.CatalogEntry.",
)

mounts = sa.Table(
    "mounts",
    METADATA,
    _id(),
    _resource_id(unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("source", sa.LargeBinary, nullable=False),
    sa.Column("column_types", JSONB, nullable=False, server_default="{}"),
    sa.Column("key_columns", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("check_time", sa.DateTime(timezone=True)),
    sa.Column("estimated_rows", sa.BigInteger),
    sa.Column("findings", ARRAY(sa.Text), nullable=False, server_default="{}"),
    *_life(),
    comment="Mounted tables; source holds tongban.sharing.v1.TableSource, column_types what the last check found.",
)

requests = sa.Table(
    "requests",
    METADATA,
    _id(),
    _resource_id(),
    sa.Column("provider_department", sa.Text, nullable=False),
    sa.Column("consumer_region", sa.Text, nullable=False),
    sa.Column("departments", ARRAY(sa.Text), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("applicant", sa.Text, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("responsible_person", sa.LargeBinary, nullable=False),
    sa.Column("responsible_phone", sa.LargeBinary, nullable=False),
    sa.Column("submit_time", sa.DateTime(timezone=True)),
    sa.Column("answer_days", sa.SmallInteger),
    sa.Column("pre_review_time", sa.DateTime(timezone=True)),
    sa.Column("pre_reviewer", sa.Text, nullable=False, server_default=""),
    sa.Column("review_time", sa.DateTime(timezone=True)),
    sa.Column("reviewer", sa.Text, nullable=False, server_default=""),
    sa.Column("opinions", JSONB, nullable=False, server_default="[]"),
    sa.Column("decide_time", sa.DateTime(timezone=True)),
    sa.Column("decider", sa.Text, nullable=False, server_default=""),
    sa.Column("refusal_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("grant_id", sa.Uuid(as_uuid=False)),
    sa.Column("supply_days", sa.SmallInteger),
    *_life(),
    sa.Column("applicant_human", sa.Text, nullable=False, server_default=""),
    sa.Column("pre_reviewer_human", sa.Text, nullable=False, server_default=""),
    sa.Column("reviewer_human", sa.Text, nullable=False, server_default=""),
    sa.Index("requests_resource", "resource_id"),
    sa.Index("requests_consumer", "consumer_region", "id"),
    comment="Requests; content holds RequestContent without the responsible person, who stands encrypted beside it.",
)

grants = sa.Table(
    "grants",
    METADATA,
    _id(),
    _resource_id(),
    sa.Column("request_id", sa.Uuid(as_uuid=False), sa.ForeignKey("requests.id"), nullable=False, unique=True),
    sa.Column("provider_department", sa.Text, nullable=False),
    sa.Column("consumer_region", sa.Text, nullable=False),
    sa.Column("departments", ARRAY(sa.Text), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("terms", sa.LargeBinary, nullable=False),
    *_life(),
    sa.Index("grants_resource", "resource_id", "consumer_region"),
    sa.Index("grants_consumer", "consumer_region", "id"),
    comment="Grants; terms holds tongban.sharing.v1.GrantTerms.",
)

grant_usage = sa.Table(
    "grant_usage",
    METADATA,
    sa.Column("grant_id", sa.Uuid(as_uuid=False), sa.ForeignKey("grants.id"), primary_key=True),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("queries_today", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("rows_total", sa.BigInteger, nullable=False, server_default="0"),
    comment="What was used of each grant: on the day of the last use (UTC+8), and since it began.",
)
