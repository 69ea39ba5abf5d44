"""An account has several documents."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0016"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies this revision."""
    op.add_column("persons", columns.moment("document_verify_time"))
    # At level 2 and above the one document that there was had been compared, or seen.
    op.execute("UPDATE persons SET document_verify_time = assurance_time WHERE assurance >= 2")
    op.create_table_comment(
        "persons",
        "Natural persons, with the document on which the account stands; one living account per document.",
        existing_comment="Natural persons; one living account per document.",
    )
    _further_documents()


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("further_documents")
    op.create_table_comment("persons", "Natural persons; one living account per document.")
    op.drop_column("persons", "document_verify_time")


def _further_documents() -> None:
    op.create_table(
        "further_documents",
        columns.identifier(),
        columns.reference("person", "persons.id"),
        *columns.given("document_type"),
        columns.binary("number"),
        columns.binary("document_index"),
        sa.Column("expire_date", sa.Date(), nullable=True),
        columns.moment("verify_time"),
        columns.moment("remove_time"),
        sa.Column("held", sa.Boolean(), nullable=False),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Documents of persons beside the one on which the account stands; held while the account lives and has them.",
    )
    op.create_index(
        "further_documents_index",
        "further_documents",
        ["document_index"],
        unique=True,
        postgresql_where=sa.text("held"),
    )
    op.create_index("further_documents_person", "further_documents", ["person", "create_time", "id"])
