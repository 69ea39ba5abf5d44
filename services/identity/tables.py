"""The tables of the identity service. Personal fields are encrypted; what must be found has a blind index."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.schema import EVIDENCE

METADATA = sa.MetaData()


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def _life() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )


persons = sa.Table(
    "persons",
    METADATA,
    _id(),
    sa.Column("full_name", sa.LargeBinary, nullable=False),
    sa.Column("document_type", sa.Text, nullable=False),
    sa.Column("document_number", sa.LargeBinary, nullable=False),
    sa.Column("document_index", sa.LargeBinary, nullable=False),
    sa.Column("document_expire_date", sa.Date),
    sa.Column("phone", sa.LargeBinary),
    sa.Column("assurance", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("assurance_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("merged_into", sa.Uuid(as_uuid=False)),
    *_life(),
    sa.Index("persons_document", "document_index", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Natural persons; one living account per document.",
)

organizations = sa.Table(
    "organizations",
    METADATA,
    _id(),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("uscc", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("legal_representative", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id")),
    sa.Column("legal_representative_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.Text, nullable=False),
    *_life(),
    sa.Index("organizations_representative", "legal_representative"),
    comment="Legal persons and other organisations.",
)

verifications = sa.Table(
    "verifications",
    METADATA,
    _id(),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("assurance", sa.SmallInteger, nullable=False),
    sa.Column("verifier", sa.Text, nullable=False),
    sa.Column("details", JSONB, nullable=False),
    sa.Column("verify_time", sa.DateTime(timezone=True), nullable=False),
    sa.Index("verifications_person", "person", "verify_time"),
    info=EVIDENCE,
    comment="Every check of a real name, passed or failed.",
)

mandates = sa.Table(
    "mandates",
    METADATA,
    _id(),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("all_items", sa.Boolean, nullable=False),
    sa.Column("item_codes", ARRAY(sa.Text), nullable=False),
    sa.Column("powers", ARRAY(sa.Text), nullable=False),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("acceptance_required", sa.Boolean, nullable=False),
    sa.Column("granter", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("accept_time", sa.DateTime(timezone=True)),
    sa.Column("revoke_time", sa.DateTime(timezone=True)),
    sa.Column("revoke_reason", sa.Text, nullable=False, server_default=""),
    *_life(),
    sa.Index("mandates_principal", "principal", "id"),
    sa.Index("mandates_agent", "agent", "id"),
    comment="Who may act for whom; the state EXPIRED follows from expire_time and is never stored.",
)

asserted_rights = sa.Table(
    "asserted_rights",
    METADATA,
    sa.Column("person", sa.Text, primary_key=True),
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("mandate", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("item_codes", ARRAY(sa.Text), nullable=False),
    sa.Column("powers", ARRAY(sa.Text), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True)),
    sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
    comment="What other regions last asserted of their people's rights to act; the mandate is empty for representatives.",
)

asserted_identities = sa.Table(
    "asserted_identities",
    METADATA,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("assert_time", sa.DateTime(timezone=True), nullable=False),
    comment="Who other regions last said that their people and organisations are; sealed holds name and document.",
)

departments = sa.Table(
    "departments",
    METADATA,
    _id(),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("uscc", sa.Text, nullable=False),
    sa.Column("region_code", sa.Text, nullable=False),
    sa.Column("parent", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id")),
    *_life(),
    sa.Index("departments_name", "parent", "display_name", unique=True, postgresql_nulls_not_distinct=True),
    sa.Index("departments_order", "display_name", "id"),
    comment="Departments and their units.",
)

posts = sa.Table(
    "posts",
    METADATA,
    _id(),
    sa.Column("department", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id"), nullable=False),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("duties", ARRAY(sa.Text), nullable=False),
    *_life(),
    sa.Index("posts_name", "department", "display_name", unique=True),
    comment="Posts: bundles of duties that don't exclude one another.",
)

staff = sa.Table(
    "staff",
    METADATA,
    _id(),
    sa.Column("full_name", sa.LargeBinary, nullable=False),
    sa.Column("staff_number", sa.Text, nullable=False),
    sa.Column("department", sa.Uuid(as_uuid=False), sa.ForeignKey("departments.id"), nullable=False),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    *_life(),
    sa.Index("staff_number", "department", "staff_number", unique=True),
    sa.Index("staff_order", "staff_number", "id"),
    sa.Index("staff_person", "person", "department", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Members of departments' staff.",
)

assignments = sa.Table(
    "assignments",
    METADATA,
    _id(),
    sa.Column("staff", sa.Uuid(as_uuid=False), sa.ForeignKey("staff.id"), nullable=False),
    sa.Column("post", sa.Uuid(as_uuid=False), sa.ForeignKey("posts.id"), nullable=False),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.Text, nullable=False, server_default="HELD"),
    sa.Column("backers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    *_life(),
    sa.Index("assignments_staff", "staff"),
    sa.Index("assignments_post", "post"),
    comment="Who held which post from when until when; taking a post away ends the row and keeps it. What is WAITING is not held.",
)

clients = sa.Table(
    "clients",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("auth_method", sa.Text, nullable=False),
    sa.Column("jwks", JSONB(none_as_null=True)),
    sa.Column("old_jwks", JSONB(none_as_null=True)),
    sa.Column("secret_mac", sa.LargeBinary),
    sa.Column("old_secret_mac", sa.LargeBinary),
    sa.Column("overlap_expire_time", sa.DateTime(timezone=True)),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("assertable", ARRAY(sa.Text), nullable=False),
    sa.Column("max_assurance", sa.SmallInteger, nullable=False),
    sa.Column("quota_per_second", sa.Integer, nullable=False),
    sa.Column("quota_per_day", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("suspend_reason", sa.Text, nullable=False, server_default=""),
    sa.Column("backers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("pending", JSONB(none_as_null=True)),
    *_life(),
    comment="Machines that call the API; a secret is stored as HMAC-SM3 under a key of the key store.",
)

regions = sa.Table(
    "regions",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("gateway_url", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("jwks", JSONB, nullable=False),
    sa.Column("root_certificate", sa.LargeBinary, nullable=False),
    sa.Column("tls_authorities", sa.LargeBinary, nullable=False),
    sa.Column("max_assurance", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_reason", sa.Text, nullable=False),
    sa.Column("activate_time", sa.DateTime(timezone=True)),
    sa.Column("state_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("backers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("pending", sa.LargeBinary),
    sa.Column("resuming", sa.Text, nullable=False, server_default=""),
    sa.Column("resume_backers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    *_life(),
    sa.Index("regions_issuer", "issuer", unique=True, postgresql_where=sa.text("state <> 'ENDED'")),
    comment="The trust list: other regions and the keys pinned for them.",
)

withdrawals = sa.Table(
    "withdrawals",
    METADATA,
    sa.Column("party", sa.Text, primary_key=True),
    sa.Column("change_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("restore_time", sa.DateTime(timezone=True)),
    sa.Index("withdrawals_change", "change_time"),
    comment="What no longer stands behind tokens; kept for as long as a token could outlive it.",
)

consents = sa.Table(
    "consents",
    METADATA,
    _id(),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("recipient", sa.Text, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("case_name", sa.Text, nullable=False),
    sa.Column("resources", ARRAY(sa.Text), nullable=False),
    sa.Column("begin_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("evidence", sa.LargeBinary),
    sa.Column("granter", sa.Text, nullable=False),
    sa.Column("mandate", sa.Text, nullable=False),
    sa.Column("witness", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("withdraw_time", sa.DateTime(timezone=True)),
    *_life(),
    sa.Index("consents_subject", "subject", "id"),
    comment="Consents to the use of licences and data; EXPIRED follows from expire_time and is never stored.",
)
