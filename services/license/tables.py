"""The tables of the license service.

What a licence says of people (number, holders, face) lies encrypted in one column, ``content``: it is read and written
together, and one decryption a licence is what a read can afford. What must be found has a column of its own: accounts
of holders are opaque ids, numbers have a blind index, and the names of organisations are public.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.schema import EVIDENCE

METADATA = sa.MetaData()


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True))


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def _texts(name: str) -> sa.Column[list[str]]:
    return sa.Column(name, ARRAY(sa.Text), nullable=False)


def _life() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )


license_types = sa.Table(
    "license_types",
    METADATA,
    _id(),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("defining_authority", sa.Text, nullable=False),
    sa.Column("holder_category", sa.Text, nullable=False),
    sa.Column("face_fields", JSONB, nullable=False),
    sa.Column("validity_months", sa.Integer, nullable=False),
    sa.Column("page_layout", sa.Text, nullable=False),
    _texts("item_codes"),
    _texts("original_item_codes"),
    sa.Column("state", sa.Text, nullable=False),
    _time("publish_time"),
    _time("deprecate_time"),
    *_life(),
    sa.Index("license_types_items", "item_codes", postgresql_using="gin"),
    comment="The region's catalogue of licence types.",
)

licenses = sa.Table(
    "licenses",
    METADATA,
    _id(),
    sa.Column("identifier", sa.Text, nullable=False, unique=True),
    sa.Column("number_index", sa.LargeBinary, nullable=False),
    sa.Column("license_type", sa.Uuid(as_uuid=False), sa.ForeignKey("license_types.id"), nullable=False),
    sa.Column("type_code", sa.Text, nullable=False),
    sa.Column("type_display_name", sa.Text, nullable=False),
    sa.Column("license_version", sa.SmallInteger, nullable=False),
    sa.Column("issuer_department", sa.Text, nullable=False),
    sa.Column("issuer_name", sa.Text, nullable=False),
    sa.Column("issuer_code", sa.Text, nullable=False),
    _texts("holders"),
    _texts("organization_names"),
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("issue_date", sa.Date, nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_until", sa.Date),
    _text("item_code"),
    _text("case_name"),
    _text("receiving_region"),
    sa.Column("face_check", sa.Text, nullable=False),
    sa.Column("qr_content", sa.Text, nullable=False),
    sa.Column("page_digest", sa.Text, nullable=False),
    sa.Column("ofd_digest", sa.Text),
    sa.Column("ofd_size", sa.Integer),
    sa.Column("pdf_digest", sa.Text),
    sa.Column("pdf_size", sa.Integer),
    sa.Column("seal", sa.Text, nullable=False),
    sa.Column("seal_id", sa.Text, nullable=False),
    sa.Column("seal_diameter", sa.SmallInteger, nullable=False),
    sa.Column("seal_attempt", sa.SmallInteger, nullable=False, server_default="1"),
    _text("sealing"),
    _text("previous_identifier"),
    _text("associated_identifier"),
    _text("next_identifier"),
    sa.Column("state", sa.Text, nullable=False),
    _text("state_reason"),
    _text("state_legal_basis"),
    _time("state_time"),
    _time("issue_time"),
    _time("suspend_time"),
    _time("resume_time"),
    _time("revoke_time"),
    _time("withdraw_time"),
    _time("cancel_time"),
    _time("expire_time"),
    _time("transfer_time"),
    _time("void_time"),
    *_life(),
    # Voided ones count too: a number that was taken once is never given again.
    sa.Index("licenses_number", "license_type", "number_index", unique=True),
    sa.Index(
        "licenses_case",
        "case_name",
        "license_type",
        unique=True,
        postgresql_where=sa.text("case_name <> '' AND state <> 'VOIDED'"),
    ),
    sa.Index(
        "licenses_voided_case",
        "case_name",
        "license_type",
        "id",
        postgresql_where=sa.text("case_name <> '' AND state = 'VOIDED'"),
    ),
    sa.Index("licenses_holders", "holders", postgresql_using="gin"),
    sa.Index("licenses_issuer", "issuer_department", "id"),
    sa.Index("licenses_ofd", "ofd_digest", postgresql_where=sa.text("ofd_digest IS NOT NULL")),
    sa.Index("licenses_pdf", "pdf_digest", postgresql_where=sa.text("pdf_digest IS NOT NULL")),
    sa.Index("licenses_drafts", "id", postgresql_where=sa.text("state = 'DRAFT'")),
    comment="Licences, one row a version. A draft is the committed intent of a signing.",
)

presentations = sa.Table(
    "presentations",
    METADATA,
    _id(),
    sa.Column("holder", sa.Text, nullable=False),
    _texts("licenses"),
    sa.Column("verifier", sa.Text, nullable=False),
    _text("item_code"),
    sa.Column("purpose", sa.Text, nullable=False),
    _text("case_name"),
    _text("legal_basis"),
    _text("department"),
    _text("operator"),
    _text("transaction_id"),
    _text("consent"),
    sa.Column("single_use", sa.Boolean, nullable=False),
    sa.Column("redeem_count", sa.Integer, nullable=False, server_default="0"),
    _text("redeemer"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("code", sa.LargeBinary, nullable=False),
    sa.Column("code_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("expire_time", sa.DateTime(timezone=True), nullable=False),
    _time("redeem_time"),
    _time("withdraw_time"),
    *_life(),
    sa.Index("presentations_holder", "holder", "id"),
    comment="Licences handed to a verifier by their holder.",
)

materials = sa.Table(
    "materials",
    METADATA,
    _id(),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("file_name", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    _text("case_name"),
    _text("handling_region"),
    sa.Column("reusable", sa.Boolean, nullable=False),
    sa.Column("valid_until", sa.Date),
    sa.Column("uploader", sa.Text, nullable=False),
    sa.Column("reuse_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("state", sa.Text, nullable=False),
    _time("erase_time"),
    *_life(),
    sa.Index("materials_owner", "owner", "id"),
    comment="Files that people and firms handed in; their bytes lie in the document store.",
)

handled_cases = sa.Table(
    "handled_cases",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    _texts("parties"),
    _texts("type_codes"),
    sa.Column("legal_basis", sa.Text, nullable=False),
    sa.Column("handlers", ARRAY(sa.Text), nullable=False, server_default="{}"),
    sa.Column("materials", ARRAY(sa.Text), nullable=False, server_default="{}"),
    comment="What the cases service told of cases: who may read what of whom for them.",
)

license_uses = sa.Table(
    "license_uses",
    METADATA,
    _id(),
    sa.Column("license_id", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("license_identifier", sa.Text, nullable=False),
    sa.Column("issuer_department", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    _text("presentation"),
    sa.Column("purpose", sa.Text, nullable=False),
    _text("case_name"),
    _text("legal_basis"),
    _text("department"),
    _text("operator"),
    _text("transaction_id"),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("region_code", sa.Text, nullable=False),
    sa.Column("copy_digest", sa.Text),
    sa.Column("copy_media_type", sa.Text),
    sa.Column("copy_size", sa.Integer),
    _time("copy_expire_time"),
    sa.Column("use_time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Index("license_uses_license", "license_id", "id"),
    sa.Index("license_uses_case", "case_name", "id", postgresql_where=sa.text("case_name <> ''")),
    sa.Index("license_uses_copy", "copy_digest", postgresql_where=sa.text("copy_digest IS NOT NULL")),
    info=EVIDENCE,
    comment="Every use of a licence: who, what for, why it was allowed.",
)
