"""The first schema of the seal service."""

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


def _id(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=False)


def _text(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.Text(), nullable=False)


def _bytes(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _life() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        _moment("create_time"),
        _moment("update_time"),
    )


def _certificates() -> None:
    op.create_table(
        "certificates",
        _id("id"),
        _text("serial_number"),
        _text("kind"),
        _bytes("der"),
        _text("key_name"),
        sa.Column("key_version", sa.Integer(), nullable=False),
        _moment("not_before_time"),
        _moment("not_after_time"),
        _moment("revoke_time", nullable=True),
        sa.Column("revocation_reason", sa.Text(), nullable=True),
        _moment("invalidity_time", nullable=True),
        *_life(),
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
        _moment("this_update"),
        _moment("next_update"),
        sa.Column("revoked", sa.Integer(), nullable=False),
        _bytes("der"),
        sa.PrimaryKeyConstraint("number"),
        comment="Published revocation lists; revoked counts their entries.",
        info={"evidence": True},
    )


def _of_the_seal() -> "tuple[sa.Column[Any], ...]":
    return (
        _id("id"),
        _text("seal_id"),
        _text("seal_code"),
        _text("display_name"),
        _text("kind"),
        _text("rank"),
        _text("owner"),
        _text("owner_uscc"),
        _text("arc_text"),
        _text("bottom_text"),
        sa.Column("diameter_mm", sa.SmallInteger(), nullable=False),
    )


def _of_its_life() -> "tuple[sa.Column[Any], ...]":
    return (
        _text("state"),
        _moment("valid_from_time"),
        _moment("valid_until_time"),
        _moment("certified_until_time"),
        sa.Column("users", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kept_by", sa.Text(), server_default="", nullable=False),
        sa.Column("kept_human", sa.Text(), server_default="", nullable=False),
        _id("certificate"),
        _id("maker_certificate"),
        _bytes("structure"),
        _bytes("svg"),
        _moment("make_time"),
        _moment("revoke_time", nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        *_life(),
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
        _text("caller"),
        _text("method"),
        _text("request_id"),
        sa.Column("attempt", sa.Integer(), nullable=False),
        _bytes("request_digest"),
    )


def _of_the_use() -> "tuple[sa.Column[Any], ...]":
    return (
        _id("seal"),
        _id("certificate"),
        _text("kind"),
        _moment("signing_time"),
        sa.Column("source_digest", sa.LargeBinary(), nullable=True),
        _bytes("use_context"),
        _text("case_name"),
        _text("user_name"),
        _text("approver"),
    )


def _sealing_batches() -> None:
    op.create_table(
        "sealing_batches",
        _id("id"),
        *_of_the_call(),
        *_of_the_use(),
        _moment("create_time"),
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
        _id("batch"),
        sa.Column("commit_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("batch"),
        comment="Batches without an outcome, for the sweeper; by the machine's clock, not the business clock.",
    )
    op.create_index("sealing_open_commit_time", "sealing_open", ["commit_time"], unique=False)


def _sealing_outcomes() -> None:
    op.create_table(
        "sealing_outcomes",
        _id("batch"),
        _text("state"),
        sa.Column("signatures", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("result_digest", sa.LargeBinary(), nullable=True),
        _text("void_reason"),
        _moment("outcome_time"),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("batch"),
        comment="What became of a batch: SIGNED or VOIDED, once; so no number is ever signed twice.",
        info={"evidence": True},
    )


def _sealings() -> None:
    op.create_table(
        "sealings",
        _id("id"),
        _text("number"),
        _id("batch"),
        _id("seal"),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        _bytes("digest"),
        _bytes("data_digest"),
        _text("property_info"),
        sa.ForeignKeyConstraint(["batch"], ["sealing_batches.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
        comment="The intents of a batch: digest is SM3 of the exact TBS_Sign bytes that the key signs under this number.",
        info={"evidence": True},
    )
    op.create_index("sealings_batch", "sealings", ["batch", "place"], unique=False)
    op.create_index("sealings_seal", "sealings", ["seal", "id"], unique=False)
    op.create_index("sealings_digest", "sealings", ["digest"], unique=False, postgresql_using="hash")
