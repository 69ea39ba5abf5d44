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
    op.execute("CREATE SEQUENCE seal_codes MAXVALUE 99999999")
    op.execute("CREATE SEQUENCE sealing_numbers MAXVALUE 99999999 CYCLE")
    op.create_table(
        "certificates",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("serial_number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("not_before_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoke_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revocation_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
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
    op.create_table(
        "crls",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("this_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_update", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.Integer(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        comment="Published revocation lists; revoked counts their entries.",
        info={"evidence": True},
    )
    op.create_table(
        "seals",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seal_id", sa.Text(), nullable=False),
        sa.Column("seal_code", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rank", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("owner_uscc", sa.Text(), nullable=False),
        sa.Column("arc_text", sa.Text(), nullable=False),
        sa.Column("bottom_text", sa.Text(), nullable=False),
        sa.Column("diameter_mm", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("valid_from_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("users", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("certificate", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("maker_certificate", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("structure", sa.LargeBinary(), nullable=False),
        sa.Column("svg", sa.LargeBinary(), nullable=False),
        sa.Column("make_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoke_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoke_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificate"],
            ["certificates.id"],
        ),
        sa.ForeignKeyConstraint(
            ["maker_certificate"],
            ["certificates.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("seal_code"),
        sa.UniqueConstraint("seal_id"),
        comment="E-seals; the structure is the signed SESeal (GB/T 38540-2020).",
    )
    op.create_index("seals_owner", "seals", ["owner", "id"], unique=False)
    op.create_table(
        "sealing_batches",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("certificate", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("signing_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_digest", sa.LargeBinary(), nullable=True),
        sa.Column("use_context", sa.LargeBinary(), nullable=False),
        sa.Column("case_name", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificate"],
            ["certificates.id"],
        ),
        sa.ForeignKeyConstraint(
            ["seal"],
            ["seals.id"],
        ),
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
    op.create_table(
        "sealing_open",
        sa.Column("batch", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("commit_time", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["sealing_batches.id"],
        ),
        sa.PrimaryKeyConstraint("batch"),
        comment="Batches without an outcome, for the sweeper; by the machine's clock, not the business clock.",
    )
    op.create_index("sealing_open_commit_time", "sealing_open", ["commit_time"], unique=False)
    op.create_table(
        "sealing_outcomes",
        sa.Column("batch", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("signatures", postgresql.ARRAY(sa.LargeBinary()), nullable=False),
        sa.Column("result_digest", sa.LargeBinary(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=False),
        sa.Column("outcome_time", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["sealing_batches.id"],
        ),
        sa.PrimaryKeyConstraint("batch"),
        comment="What became of a batch: SIGNED or VOIDED, once; so no number is ever signed twice.",
        info={"evidence": True},
    )
    op.create_table(
        "sealings",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("batch", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seal", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("place", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("data_digest", sa.LargeBinary(), nullable=False),
        sa.Column("property_info", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["sealing_batches.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
        comment="The intents of a batch: digest is SM3 of the exact TBS_Sign bytes that the key signs under this number.",
        info={"evidence": True},
    )
    op.create_index("sealings_batch", "sealings", ["batch", "place"], unique=False)
    op.create_index("sealings_seal", "sealings", ["seal", "id"], unique=False)


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_index("sealings_seal", table_name="sealings")
    op.drop_index("sealings_batch", table_name="sealings")
    op.drop_table("sealings")
    op.drop_table("sealing_outcomes")
    op.drop_index("sealing_open_commit_time", table_name="sealing_open")
    op.drop_table("sealing_open")
    op.drop_index("sealing_batches_case", table_name="sealing_batches", postgresql_where=sa.text("case_name <> ''"))
    op.drop_table("sealing_batches")
    op.drop_index("seals_owner", table_name="seals")
    op.drop_table("seals")
    op.drop_table("crls")
    op.drop_index(
        "certificates_revoked", table_name="certificates", postgresql_where=sa.text("revoke_time IS NOT NULL")
    )
    op.drop_index("certificates_kind", table_name="certificates")
    op.drop_table("certificates")
    op.execute("DROP SEQUENCE sealing_numbers")
    op.execute("DROP SEQUENCE seal_codes")
