"""The tables of the seal service. What was committed of a use of a seal is evidence: never changed, only added to."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from libs.db.schema import EVIDENCE

METADATA = sa.MetaData()

SEAL_CODES = "seal_codes"
"""The sequence behind the seal codes that are not given by the caller."""
SEALING_NUMBERS = "sealing_numbers"
"""The sequence behind the numbers of uses; eight digits, then from 1 again: the date stands before them."""


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def _reference(name: str, column: str) -> sa.Column[str]:
    return sa.Column(name, sa.Uuid(as_uuid=False), sa.ForeignKey(column), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


certificates = sa.Table(
    "certificates",
    METADATA,
    _id(),
    sa.Column("serial_number", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    sa.Column("key_name", sa.Text, nullable=False),
    sa.Column("key_version", sa.Integer, nullable=False),
    _moment("not_before_time"),
    _moment("not_after_time"),
    _moment("revoke_time", nullable=True),
    sa.Column("revocation_reason", sa.Text),
    _moment("invalidity_time", nullable=True),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    _moment("create_time"),
    _moment("update_time"),
    sa.Index("certificates_kind", "kind", "create_time"),
    sa.Index("certificates_revoked", "revoke_time", postgresql_where=sa.text("revoke_time IS NOT NULL")),
    comment="SM2 certificates of the region's authority; key_name is empty where the key is somebody else's.",
)

crls = sa.Table(
    "crls",
    METADATA,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    _moment("this_update"),
    _moment("next_update"),
    sa.Column("revoked", sa.Integer, nullable=False),
    sa.Column("der", sa.LargeBinary, nullable=False),
    info=EVIDENCE,
    comment="Published revocation lists; revoked counts their entries.",
)

seals = sa.Table(
    "seals",
    METADATA,
    _id(),
    sa.Column("seal_id", sa.Text, nullable=False, unique=True),
    sa.Column("seal_code", sa.Text, nullable=False, unique=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rank", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("owner_uscc", sa.Text, nullable=False),
    sa.Column("arc_text", sa.Text, nullable=False),
    sa.Column("bottom_text", sa.Text, nullable=False),
    sa.Column("diameter_mm", sa.SmallInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _moment("valid_from_time"),
    _moment("valid_until_time"),
    # The earlier end of the two certificates; neither ever changes.
    _moment("certified_until_time"),
    sa.Column("users", JSONB, nullable=False),
    # Who had it made and keeps it: the staff or machine, and the human being that the staff are.
    sa.Column("kept_by", sa.Text, nullable=False, server_default=""),
    sa.Column("kept_human", sa.Text, nullable=False, server_default=""),
    _reference("certificate", "certificates.id"),
    _reference("maker_certificate", "certificates.id"),
    sa.Column("structure", sa.LargeBinary, nullable=False),
    sa.Column("svg", sa.LargeBinary, nullable=False),
    _moment("make_time"),
    _moment("revoke_time", nullable=True),
    sa.Column("revoke_reason", sa.Text),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    _moment("create_time"),
    _moment("update_time"),
    sa.Index("seals_owner", "owner", "id"),
    comment="E-seals; the structure is the signed SESeal (GB/T 38540-2020).",
)

sealing_batches = sa.Table(
    "sealing_batches",
    METADATA,
    _id(),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    _reference("seal", "seals.id"),
    _reference("certificate", "certificates.id"),
    sa.Column("kind", sa.Text, nullable=False),
    _moment("signing_time"),
    sa.Column("source_digest", sa.LargeBinary),
    sa.Column("use_context", sa.LargeBinary, nullable=False),
    sa.Column("case_name", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    _moment("create_time"),
    sa.UniqueConstraint("caller", "method", "request_id", "attempt"),
    sa.Index("sealing_batches_case", "case_name", "id", postgresql_where=sa.text("case_name <> ''")),
    info=EVIDENCE,
    comment="One call that uses a seal, committed before the key is touched; an attempt follows one that was voided.",
)

sealings = sa.Table(
    "sealings",
    METADATA,
    _id(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    _reference("batch", "sealing_batches.id"),
    # A copy of the batch's, to list by; the batch's own reference is checked.
    sa.Column("seal", sa.Uuid(as_uuid=False), nullable=False),
    sa.Column("place", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("data_digest", sa.LargeBinary, nullable=False),
    sa.Column("property_info", sa.Text, nullable=False),
    sa.Index("sealings_seal", "seal", "id"),
    sa.Index("sealings_batch", "batch", "place"),
    # A validation asks whether a signature is on record; a hash index costs a use least.
    sa.Index("sealings_digest", "digest", postgresql_using="hash"),
    info=EVIDENCE,
    comment="The intents of a batch: digest is SM3 of the exact TBS_Sign bytes that the key signs under this number.",
)

sealing_outcomes = sa.Table(
    "sealing_outcomes",
    METADATA,
    sa.Column("batch", sa.Uuid(as_uuid=False), sa.ForeignKey("sealing_batches.id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("signatures", ARRAY(sa.LargeBinary), nullable=False),
    sa.Column("result_digest", sa.LargeBinary),
    sa.Column("void_reason", sa.Text, nullable=False),
    _moment("outcome_time"),
    info=EVIDENCE,
    comment="What became of a batch: SIGNED or VOIDED, once; so no number is ever signed twice.",
)

sealing_open = sa.Table(
    "sealing_open",
    METADATA,
    sa.Column("batch", sa.Uuid(as_uuid=False), sa.ForeignKey("sealing_batches.id"), primary_key=True),
    sa.Column("commit_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("sealing_open_commit_time", "commit_time"),
    comment="Batches without an outcome, for the sweeper; by the machine's clock, not the business clock.",
)
