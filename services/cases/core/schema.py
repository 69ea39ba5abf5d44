"""What all tables of the service are declared on, and the columns that many of them have.

What is personal lies in one encrypted column a row (``sealed``: a protobuf message); what is searched, counted or
decided on stands beside it in clear, as codes and names of resources.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()


def record_id() -> sa.Column[str]:
    """A row's UUIDv7."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def case_id(*, unique: bool | None = None) -> sa.Column[str]:
    """The id of the case that a row belongs to."""
    return sa.Column("case_id", sa.Uuid(as_uuid=False), nullable=False, unique=unique)


def text(name: str) -> sa.Column[str]:
    """A text that may be empty."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def given(*names: str) -> tuple[sa.Column[str], ...]:
    """Texts that every row has."""
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def moment(name: str, *, nullable: bool = True) -> sa.Column[object]:
    """A time; by default one that may not have come yet."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def life() -> tuple[sa.Column[object], ...]:
    """How often a row was changed, and when it was made and changed last."""
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        moment("create_time", nullable=False),
        moment("update_time", nullable=False),
    )
