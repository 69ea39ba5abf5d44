"""The tables of the uses of seals: intents, outcomes, and what is still open.

``sealing`` writes them; ``validation`` asks them whether a use is on record. The sequence ``sealing_numbers`` stands behind
the numbers: eight digits, then from 1 again, for the date stands before them.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.db import columns
from libs.db.schema import EVIDENCE
from services.seal.core import schema

sealing_batches = sa.Table(
    "sealing_batches",
    schema.METADATA,
    columns.record_id(),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("request_digest", sa.LargeBinary, nullable=False),
    columns.reference("seal", "seals.id"),
    columns.reference("certificate", "certificates.id"),
    sa.Column("kind", sa.Text, nullable=False),
    columns.moment("signing_time", nullable=False),
    sa.Column("source_digest", sa.LargeBinary),
    sa.Column("use_context", sa.LargeBinary, nullable=False),
    sa.Column("case_name", sa.Text, nullable=False),
    columns.text("purpose_code"),
    columns.text("service_item"),
    columns.text("basis_kind"),
    columns.text("named_basis"),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    columns.moment("create_time", nullable=False),
    sa.UniqueConstraint("caller", "method", "request_id", "attempt"),
    info=EVIDENCE,
    comment="One call that uses a seal, committed before the key is touched; an attempt follows one that was voided.",
)

sealings = sa.Table(
    "sealings",
    schema.METADATA,
    columns.record_id(),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    columns.reference("batch", "sealing_batches.id"),
    # Copies of the batch's, to list by; the batch's own reference is checked.
    sa.Column("seal", sa.Uuid(as_uuid=False), nullable=False),
    columns.moment("create_time", nullable=False),
    columns.text("case_name"),
    sa.Column("place", sa.SmallInteger, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("data_digest", sa.LargeBinary, nullable=False),
    sa.Column("property_info", sa.Text, nullable=False),
    sa.Index("sealings_created", "create_time", "id"),
    sa.Index("sealings_of_seal", "seal", "create_time", "id"),
    sa.Index("sealings_of_case", "case_name", "create_time", "id", postgresql_where=sa.text("case_name <> ''")),
    sa.Index("sealings_batch", "batch", "place"),
    # A validation asks whether a signature is on record; a hash index costs a use least.
    sa.Index("sealings_digest", "digest", postgresql_using="hash"),
    info=EVIDENCE,
    comment="The intents of a batch: digest is SM3 of the exact TBS_Sign bytes that the key signs under this number.",
)

sealing_outcomes = sa.Table(
    "sealing_outcomes",
    schema.METADATA,
    sa.Column("batch", sa.Uuid(as_uuid=False), sa.ForeignKey("sealing_batches.id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("signatures", ARRAY(sa.LargeBinary), nullable=False),
    sa.Column("result_digest", sa.LargeBinary),
    sa.Column("void_reason", sa.Text, nullable=False),
    columns.moment("outcome_time", nullable=False),
    info=EVIDENCE,
    comment="What became of a batch: SIGNED or VOIDED, once; so no number is ever signed twice.",
)

sealing_open = sa.Table(
    "sealing_open",
    schema.METADATA,
    sa.Column("batch", sa.Uuid(as_uuid=False), sa.ForeignKey("sealing_batches.id"), primary_key=True),
    sa.Column("commit_time", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("sealing_open_commit_time", "commit_time"),
    comment="Batches without an outcome, for the sweeper; by the machine's clock, not the business clock.",
)
