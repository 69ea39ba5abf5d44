"""An account has several documents and contact points, which codes show, and an end."""

import sqlalchemy as sa
from alembic import op

from libs.db import columns

revision = "0016"
down_revision = "0015"
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
    _contact_points()
    _contact_codes()
    _closings()


def downgrade() -> None:
    """Takes this revision back."""
    op.drop_table("closings")
    op.drop_table("contact_codes")
    op.drop_table("contact_points")
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


def _contact_points() -> None:
    op.create_table(
        "contact_points",
        columns.identifier(),
        columns.reference("person", "persons.id"),
        sa.Column("place", sa.Integer(), nullable=False),
        *columns.given("kind"),
        columns.binary("value"),
        columns.binary("value_index"),
        columns.moment("verify_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="How people are reached; those of accounts of before that were not changed since stand in persons.phone.",
    )
    op.create_index("contact_points_person", "contact_points", ["person", "value_index"], unique=True)


def _contact_codes() -> None:
    op.create_table(
        "contact_codes",
        columns.identifier(),
        columns.reference("person", "persons.id"),
        *columns.given("kind"),
        columns.binary("target"),
        columns.binary("value_index"),
        *columns.given("state"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        columns.moment("expire_time", nullable=False),
        columns.moment("attempt_time", nullable=False),
        columns.moment("send_time"),
        *columns.life(),
        sa.PrimaryKeyConstraint("id"),
        comment="Codes that were sent to contact points; a code is made of its row's id and a key, and stands nowhere.",
    )
    op.create_index("contact_codes_person", "contact_codes", ["person", "create_time"])
    op.create_index("contact_codes_point", "contact_codes", ["value_index", "create_time"])
    op.create_index(
        "contact_codes_unsent",
        "contact_codes",
        ["attempt_time"],
        postgresql_where=sa.text("send_time IS NULL AND state = 'OPEN'"),
    )


def _closings() -> None:
    op.create_table(
        "closings",
        columns.identifier(),
        *columns.given("account"),
        *columns.given("cause"),
        columns.binary("death_date", nullable=True),
        columns.texts("evidence"),
        *columns.given("closer"),
        columns.moment("close_time", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        comment="Why accounts were closed, by whom, and what shows it; a day of death is encrypted.",
    )
    op.create_index("closings_account", "closings", ["account"])
