"""What all tables of the service are declared on, and the columns that many of them have.

Personal fields are encrypted; what must be found has a blind index.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

METADATA = sa.MetaData()


def record_id() -> sa.Column[str]:
    """A row's UUIDv7."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def moment(name: str) -> sa.Column[object]:
    """A time that may not have come yet."""
    return sa.Column(name, sa.DateTime(timezone=True))


def text(name: str) -> sa.Column[str]:
    """A text that may be empty."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def texts(name: str) -> sa.Column[list[str]]:
    """A list of texts."""
    return sa.Column(name, ARRAY(sa.Text), nullable=False)


def backers(name: str = "backers") -> sa.Column[list[str]]:
    """The human beings who stand behind what waits."""
    return sa.Column(name, ARRAY(sa.Text), nullable=False, server_default="{}")


def life() -> tuple[sa.Column[object], ...]:
    """How often a row was changed, and when it was made and changed last."""
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
    )
