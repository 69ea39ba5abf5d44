"""What all tables of the service are declared on, and the columns that many of them have beside those of ``libs.db.columns``.

What the contract describes as a whole (an entry, a source, terms) is stored as its protobuf bytes.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from libs.lists.paths import Path

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


PATHS = (
    Path(),
    Path(("consumer_region",)),
    Path(("provider_department",)),
    # What is for one department, and what is of one resource, is few.
    Path(("departments",), few=True),
    Path(("resource_id",), few=True),
)
"""The ways along which what has two sides is listed, in the order of creation."""


def listed(table: str) -> tuple[sa.Index, ...]:
    """The indexes of :data:`PATHS`, but for that of the resource."""
    return (
        sa.Index(f"{table}_created", "create_time", "id"),
        sa.Index(f"{table}_of_consumer", "consumer_region", "create_time", "id"),
        sa.Index(f"{table}_of_provider", "provider_department", "create_time", "id"),
        sa.Index(f"{table}_departments", "departments", postgresql_using="gin"),
    )
