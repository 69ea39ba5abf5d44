"""The columns that many tables have, for the tables of all services and for the first revisions that make them.

Once a revision that uses one of these was released, what it makes is never changed: what is to differ gets a name of its own.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

AnyColumn = sa.Column[Any]


def record_id() -> AnyColumn:
    """A row's UUIDv7, its primary key."""
    return sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True)


def identifier(name: str = "id", *, nullable: bool = False) -> AnyColumn:
    """A UUID: the row's own, where the revision names the key apart, or that of another row."""
    return sa.Column(name, sa.Uuid(as_uuid=False), nullable=nullable)


def reference(name: str, column: str) -> AnyColumn:
    """The UUID of another row, which is there."""
    return sa.Column(name, sa.Uuid(as_uuid=False), sa.ForeignKey(column), nullable=False)


def text(name: str) -> AnyColumn:
    """A text that begins empty."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


def given(*names: str) -> tuple[AnyColumn, ...]:
    """Texts that every row is made with."""
    return tuple(sa.Column(name, sa.Text, nullable=False) for name in names)


def texts(name: str, *, empty: bool = False) -> AnyColumn:
    """A list of texts; ``empty`` where it begins so, and is not made with the row."""
    return sa.Column(name, ARRAY(sa.Text), nullable=False, server_default="{}" if empty else None)


def binary(name: str, *, nullable: bool = False) -> AnyColumn:
    """Bytes: encrypted, a digest, a blind index, or a message as a whole."""
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def json(name: str, *, nullable: bool = False) -> AnyColumn:
    """A value as JSON."""
    return sa.Column(name, JSONB, nullable=nullable)


def none_yet(name: str) -> AnyColumn:
    """Records as a list of JSON that begins empty."""
    return sa.Column(name, JSONB, nullable=False, server_default="[]")


def counted(name: str) -> AnyColumn:
    """A number that begins at zero."""
    return sa.Column(name, sa.Integer, nullable=False, server_default="0")


def amounts(*names: str) -> tuple[AnyColumn, ...]:
    """Numbers that begin at zero and may get large."""
    return tuple(sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names)


def nothing_yet(name: str) -> AnyColumn:
    """Bytes that begin empty."""
    return sa.Column(name, sa.LargeBinary, nullable=False, server_default="")


def no(name: str) -> AnyColumn:
    """What is not so at first."""
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.false())


def moment(name: str, *, nullable: bool = True) -> AnyColumn:
    """A time; by default one that may not have come yet."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def life() -> tuple[AnyColumn, ...]:
    """How often a row was changed, and when it was made and changed last."""
    return (
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        moment("create_time", nullable=False),
        moment("update_time", nullable=False),
    )
