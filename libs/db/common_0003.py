"""The tables of uploads (``libs.db.schema``); each service has a revision that calls it."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns


def upgrade() -> None:
    """Applies this revision."""
    _uploads()
    _upload_parts()


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("upload_parts")
    op.drop_table("uploads")


def _uploads() -> None:
    op.create_table(
        "uploads",
        columns.record_id(),
        *columns.given("owner", "media_type"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        columns.text("digest"),
        sa.Column("received", sa.BigInteger(), nullable=False, server_default="0"),
        *columns.given("state"),
        columns.moment("expire_time", nullable=False),
        *columns.life(),
        comment="Files on their way here, and those that are here for a day; by the database's own clock.",
    )
    op.create_index("uploads_owner", "uploads", ["owner"], unique=False)
    op.create_index("uploads_expire_time", "uploads", ["expire_time"], unique=False)


def _upload_parts() -> None:
    op.create_table(
        "upload_parts",
        columns.record_id(),
        columns.reference("upload_id", "uploads.id"),
        sa.Column("number", sa.Integer(), nullable=False),
        columns.counted("size"),
        comment="Where the bytes of uploads lie in the object store; size 0 where a part was not written to its end.",
    )
    op.create_index("upload_parts_upload", "upload_parts", ["upload_id", "number"], unique=False)
