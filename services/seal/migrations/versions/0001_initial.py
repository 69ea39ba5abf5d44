"""The first schema of the seal service."""

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
    op.execute("CREATE SEQUENCE seal_codes MAXVALUE 99999999")
    op.execute("CREATE SEQUENCE sealing_numbers MAXVALUE 99999999 CYCLE")
    _certificates()
    _crls()
    _seals()
    _sealing_batches()
    _sealing_open()
    _sealing_outcomes()
    _sealings()


def downgrade() -> None:
    """Takes this revision back."""
    tables = ("sealings", "sealing_outcomes", "sealing_open", "sealing_batches", "seals", "crls", "certificates")
    for table in tables:
        op.drop_table(table)
    op.execute("DROP SEQUENCE sealing_numbers")
    op.execute("DROP SEQUENCE seal_codes")
    common_0001.downgrade()


def _certificates() -> None:
    op.create_table(
        "certificates",
        columns.identifier("id"),
        *columns.given("serial_number"),
        *columns.given("kind"),
        columns.binary("der"),
        *columns.given("key_name"),
        sa.Column("key_version", sa.Integer(), nullable=False),
        columns.moment("not_before_time", nullable=False),
        columns.moment("not_after_time", nullable=False),
        columns.moment("revoke_time"),
        sa.Column("revocation_reason", sa.Text(), nullable=True),
        columns.moment("invalidity_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("serial_number"),
        comment="SM2 certificates of the region's authority; key_name is empty where the key is somebody else's.",
    )
    op.create_index("certificates_kind", "certificates", ["kind", "create_time"], unique=False)
    op.create_index(
        "certificates_revoked",
        "certificates",
        ["revoke_time"],
        unique=False,
        postgresql_where=sa.text("revoke_time IS NOT NULL"),
    )


def _crls() -> None:
    op.create_table(
        "crls",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        columns.moment("this_update", nullable=False),
        columns.moment("next_update", nullable=False),
        sa.Column("revoked", sa.Integer(), nullable=False),
        columns.binary("der"),
        sa.PrimaryKeyConstraint("number"),
        comment="Published revocation lists; revoked counts their entries.",
        info={"evidence": True},
    )


def _of_the_seal() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.identifier("id"),
        *columns.given("seal_id"),
        *columns.given("seal_code"),
        *columns.given("display_name"),
        *columns.given("kind"),
        *columns.given("rank"),
        *columns.given("owner"),
        *columns.given("owner_uscc"),
        *columns.given("arc_text"),
        *columns.given("bottom_text"),
        sa.Column("diameter_mm", sa.SmallInteger(), nullable=False),
    )


def _of_its_life() -> "tuple[sa.Column[Any], ...]":
    return (
        *columns.given("state"),
        columns.moment("valid_from_time", nullable=False),
        columns.moment("valid_until_time", nullable=False),
        columns.moment("certified_until_time", nullable=False),
        sa.Column("users", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kept_by", sa.Text(), server_default="", nullable=False),
        sa.Column("kept_human", sa.Text(), server_default="", nullable=False),
        columns.identifier("certificate"),
        columns.identifier("maker_certificate"),
        columns.binary("structure"),
        columns.binary("svg"),
        columns.moment("make_time", nullable=False),
        columns.moment("revoke_time"),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        *columns.life(),
    )


def _seals() -> None:
    op.create_table(
        "seals",
        *_of_the_seal(),
        *_of_its_life(),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.id"]),
        sa.ForeignKeyConstraint(["maker_certificate"], ["certificates.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("seal_code"),
        sa.UniqueConstraint("seal_id"),
        comment="E-seals; the structure is the signed SESeal (GB/T 38540-2020).",
    )
    op.create_index("seals_owner", "seals", ["owner", "id"], unique=False)


def _of_the_call() -> "tuple[sa.Column[Any], ...]":
    return (
        *columns.given("caller"),
        *columns.given("method"),
        *columns.given("request_id"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        columns.binary("request_digest"),
    )


def _of_the_use() -> "tuple[sa.Column[Any], ...]":
    return (
        columns.identifier("seal"),
        columns.identifier("certificate"),
        *columns.given("kind"),
        columns.moment("signing_time", nullable=False),
        sa.Column("source_digest", sa.LargeBinary(), nullable=True),
        columns.binary("use_context"),
        *columns.given("case_name"),
        *columns.given("user_name"),
        *columns.given("approver"),
    )


def _sealing_batches() -> None:
    op.create_table(
        "sealing_batches",
        columns.identifier("id"),
        *_of_the_call(),
        *_of_the_use(),
        columns.moment("create_time", nullable=False),
        sa.ForeignKeyConstraint(["certificate"], ["certificates.id"]),
        sa.ForeignKeyConstraint(["seal"], ["seals.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("caller", "method", "request_id", "attempt"),
        comment="One call that uses a seal, committed before the key is touched; an attempt follows one that was voided.",
        info={"evidence": True},
    )
    op.create_index(
        "sealing_batches_case",
        "sealing_batches",
        ["case_name", "id"],
        unique=False,
        postgresql_where=sa.text("case_name <> ''"),
    )


def _sealing_open() -> None:
    op.create_table(
        "sealing_open",
        columns.identifier("batch"),
        sa.Column("commit_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("batch"),
        comment="Batches without an outcome, for the sweeper; by the machine's clock, not the business clock.",
    )
    op.create_index("sealing_open_commit_time", "sealing_open", ["commit_time"], unique=False)


def _sealing_outcomes() -> None:
    op.create_table(
        "sealing_outcomes",
        columns.identifier("batch"),
        *columns.given("state"),
        sa.Column("signatures", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("result_digest", sa.LargeBinary(), nullable=True),
        *columns.given("void_reason"),
        columns.moment("outcome_time", nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("batch"),
        comment="What became of a batch: SIGNED or VOIDED, once; so no number is ever signed twice.",
        info={"evidence": True},
    )


def _sealings() -> None:
    op.create_table(
        "sealings",
        columns.identifier("id"),
        *columns.given("number"),
        columns.identifier("batch"),
        columns.identifier("seal"),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        columns.binary("digest"),
        columns.binary("data_digest"),
        *columns.given("property_info"),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
        comment="The intents of a batch: digest is SM3 of the exact TBS_Sign bytes that the key signs under this number.",
        info={"evidence": True},
    )
    op.create_index("sealings_batch", "sealings", ["batch", "place"], unique=False)
    op.create_index("sealings_seal", "sealings", ["seal", "id"], unique=False)
    op.create_index("sealings_digest", "sealings", ["digest"], unique=False, postgresql_using="hash")
