"""What all tables of the service are declared on, and the columns that many of them have beside those of ``libs.db.columns``.

What the contract describes as a whole (an entry, a source, terms) is stored as its protobuf bytes.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

METADATA = sa.MetaData()


def resource_id(*, unique: bool = False) -> sa.Column[str]:
    """The catalogue entry that a row belongs to."""
    entry = sa.ForeignKey("resources.id")
    return sa.Column("resource_id", sa.Uuid(as_uuid=False), entry, nullable=False, unique=unique)


def sides() -> tuple[sa.Column[object], ...]:
    """Who provides, and who consumes: that says who may see the row."""
    return (
        sa.Column("provider_department", sa.Text, nullable=False),
        sa.Column("consumer_region", sa.Text, nullable=False),
        sa.Column("departments", ARRAY(sa.Text), nullable=False),
    )
