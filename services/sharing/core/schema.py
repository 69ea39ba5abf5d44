"""What all tables of the service are declared on, and the columns that many of them have.

What the contract describes as a whole (an entry, a source, terms) is stored as its protobuf bytes.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

METADATA = sa.MetaData()


def record_id() -> sa.Column[str]:
    """A row's UUIDv7."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def resource_id(*, unique: bool = False) -> sa.Column[str]:
    """The catalogue entry that a row belongs to."""
    entry = sa.ForeignKey("resources.id")
    return sa.Column("resource_id", sa.Uuid(as_uuid=False), entry, nullable=False, unique=unique)


def moment(name: str) -> sa.Column[object]:
    """A time that may not have come yet."""
    return sa.Column(name, sa.DateTime(timezone=True))


def text(name: str) -> sa.Column[str]:
    """A text that may be empty."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def texts(name: str) -> sa.Column[list[str]]:
    """A list of texts that begins empty."""
    return sa.Column(name, ARRAY(sa.Text), nullable=False, server_default="{}")


def sides() -> tuple[sa.Column[object], ...]:
    """Who provides, and who consumes: that says who may see the row."""
    return (
        sa.Column("provider_department", sa.Text, nullable=False),
        sa.Column("consumer_region", sa.Text, nullable=False),
        sa.Column("departments", ARRAY(sa.Text), nullable=False),
    )


def life() -> tuple[sa.Column[object], ...]:
    """How often a row was changed, and when it was made and changed last."""
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )
