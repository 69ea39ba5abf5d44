"""The tables of the identity service. Personal fields are encrypted; what must be found has a blind index."""

import sqlalchemy as sa

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
    "persons", METADATA, _id(),
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
)  # fmt: skip

organizations = sa.Table(
    "organizations", METADATA, _id(),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("uscc", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("legal_representative", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id")),
    sa.Column("legal_representative_time", sa.DateTime(timezone=True)),
    sa.Column("state", sa.Text, nullable=False),
    *_life(),
    comment="Legal persons and other organisations.",
)  # fmt: skip
