"""How people are reached: the table, its records, and what several features read of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import invalid_field
from libs.ids.uuid7 import uuid7
from services.identity.core import schema
from services.identity.core.accounts import Person

VALUE = Column("contact_points", "value")
_HERE = "+86"

contact_points = sa.Table(
    "contact_points",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("value", sa.LargeBinary, nullable=False),
    sa.Column("value_index", sa.LargeBinary, nullable=False),
    columns.moment("verify_time"),
    *columns.life(),
    sa.Index("contact_points_person", "person", "value_index", unique=True),
    comment="How people are reached; those of accounts of before that were not changed since stand in persons.phone.",
)


class ContactKind(StrEnum):
    """What a contact point is: the member of the contract's ContactPoint, in capitals."""

    PHONE = "PHONE"
    EMAIL = "EMAIL"


@of(contact_points)
@dataclass(frozen=True, slots=True)
class ReachablePoint:
    """A contact point of ``person``, an id. The value is encrypted; ``place`` is its place in their list, from 0 on."""

    id: str
    person: str
    place: int
    kind: ContactKind
    value: bytes
    value_index: bytes
    verify_time: datetime | None
    create_time: datetime
    update_time: datetime
    version: int = 1

    def clear_value(self, cipher: FieldCipher) -> str:
        """Decrypts the phone or the address."""
        return cipher.decrypt_text(VALUE, self.id, self.value)


_OF_PERSON = Query(
    ReachablePoint, "SELECT {columns} FROM contact_points WHERE person = CAST(:person AS uuid) ORDER BY place, id"
)


def value_index(cipher: FieldCipher, kind: ContactKind, value: str) -> bytes:
    """Returns the blind index of a contact point: the same however a number of the mainland or an address is written."""
    plain = value.removeprefix(_HERE) if kind is ContactKind.PHONE else value.lower()
    return cipher.blind_index(VALUE, f"{kind}:{plain}")


def check_unlike_points(indexes: Sequence[bytes], field: str) -> None:
    """Raises InvalidArgument FIELD_INVALID where a contact point, by its blind index, stands in the list ``field`` twice."""
    for at, index in enumerate(indexes):
        if index in indexes[:at]:
            raise invalid_field(f"{field}[{at}]", "contact_points.unique", "is named already")


def new_point(
    person: str, place: int, kind: ContactKind, value: str, cipher: FieldCipher, now: datetime
) -> ReachablePoint:
    """Returns a contact point that nobody has shown yet; ``person`` is an id."""
    key = uuid7()
    return ReachablePoint(
        id=key,
        person=person,
        place=place,
        kind=kind,
        value=cipher.encrypt_text(VALUE, key, value),
        value_index=value_index(cipher, kind, value),
        verify_time=None,
        create_time=now,
        update_time=now,
    )


async def points_of(connection: DatabaseConnection, person: Person, cipher: FieldCipher) -> list[ReachablePoint]:
    """Reads how a person is reached, in their order; what still stands in the account's own row is no row of its own yet."""
    found = await _OF_PERSON.all(connection, person=person.id)
    if found or not person.phone:
        return found
    return [new_point(person.id, 0, ContactKind.PHONE, person.clear_phone(cipher), cipher, person.create_time)]
