"""What all tables of the service are declared on, and the columns that many of them have.

What was committed of a use of a seal is evidence: never changed, only added to.
"""

import sqlalchemy as sa

METADATA = sa.MetaData()


def record_id() -> sa.Column[str]:
    """A row's UUIDv7."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def reference(name: str, column: str) -> sa.Column[str]:
    """The id of another row, which is there."""
    return sa.Column(name, sa.Uuid(as_uuid=False), sa.ForeignKey(column), nullable=False)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    """A time; ``nullable`` where it may not have come yet."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def life() -> tuple[sa.Column[object], ...]:
    """How often a row was changed, and when it was made and changed last."""
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        moment("create_time"),
        moment("update_time"),
    )
