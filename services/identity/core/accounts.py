"""Accounts of persons and organisations in PostgreSQL: the tables, their records, and what several features read of them."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.query import Query, of
from libs.errors import not_found, reasons
from libs.ids import documents
from services.identity.core import schema
from services.identity.core.names import id_of

FULL_NAME = Column("persons", "full_name")
DOCUMENT_NUMBER = Column("persons", "document_number")
PHONE = Column("persons", "phone")
IN_USE = "ACTIVE"
"""The state of an account that is used; the others are closed, or merged into another."""

persons = sa.Table(
    "persons",
    schema.METADATA,
    columns.record_id(),
    sa.Column("full_name", sa.LargeBinary, nullable=False),
    sa.Column("document_type", sa.Text, nullable=False),
    sa.Column("document_number", sa.LargeBinary, nullable=False),
    sa.Column("document_index", sa.LargeBinary, nullable=False),
    sa.Column("document_expire_date", sa.Date),
    columns.moment("document_verify_time"),
    sa.Column("phone", sa.LargeBinary),
    sa.Column("assurance", sa.SmallInteger, nullable=False, server_default="0"),
    columns.moment("assurance_time"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("merged_into", sa.Uuid(as_uuid=False)),
    columns.texts("former", empty=True),
    *columns.life(),
    sa.Index("persons_document", "document_index", unique=True, postgresql_where=sa.text("state = 'ACTIVE'")),
    comment="Natural persons, with the document on which the account stands; one living account per document.",
)

organizations = sa.Table(
    "organizations",
    schema.METADATA,
    columns.record_id(),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("uscc", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("legal_representative", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id")),
    columns.moment("legal_representative_time"),
    sa.Column("state", sa.Text, nullable=False),
    *columns.life(),
    sa.Index("organizations_representative", "legal_representative"),
    comment="Legal persons and other organisations.",
)


@of(persons)
@dataclass(frozen=True, slots=True)
class Person:
    """A person's account. Name, number and phone are encrypted; ``former`` are ids of accounts that it took in."""

    id: str
    full_name: bytes
    document_type: str
    document_number: bytes
    document_index: bytes
    document_expire_date: date | None
    phone: bytes | None
    create_time: datetime
    update_time: datetime
    assurance: int = 0
    assurance_time: datetime | None = None
    document_verify_time: datetime | None = None
    state: str = IN_USE
    merged_into: str | None = None
    version: int = 1
    former: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"persons/{self.id}"

    @property
    def former_names(self) -> tuple[str, ...]:
        """The names of the accounts that it took in: what is kept under them is this person's."""
        return tuple(f"persons/{each}" for each in self.former)

    def clear_name(self, cipher: FieldCipher) -> str:
        """Decrypts the full name."""
        return cipher.decrypt_text(FULL_NAME, self.id, self.full_name)

    def clear_number(self, cipher: FieldCipher) -> str:
        """Decrypts the document's number."""
        return cipher.decrypt_text(DOCUMENT_NUMBER, self.id, self.document_number)

    def clear_phone(self, cipher: FieldCipher) -> str:
        """Decrypts the phone, an empty string where there is none."""
        return cipher.decrypt_text(PHONE, self.id, self.phone) if self.phone else ""


@of(organizations)
@dataclass(frozen=True, slots=True)
class Organization:
    """An organisation's account. ``legal_representative`` is a person's id."""

    id: str
    display_name: str
    uscc: str
    kind: str
    legal_representative: str | None
    legal_representative_time: datetime | None
    create_time: datetime
    update_time: datetime
    state: str = IN_USE
    version: int = 1

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"organizations/{self.id}"

    @property
    def representative(self) -> str:
        """The legal representative's name, or an empty string."""
        return f"persons/{self.legal_representative}" if self.legal_representative else ""


_PERSON = Query(Person, "SELECT {columns} FROM persons WHERE id = CAST(:id AS uuid)")
_LOCK_PERSON = Query(Person, "SELECT {columns} FROM persons WHERE id = CAST(:id AS uuid) FOR UPDATE")
_BY_DOCUMENT = Query(
    Person,
    """SELECT {columns} FROM persons WHERE state = 'ACTIVE' AND (document_index = :index OR id = ANY(ARRAY(
      SELECT person FROM further_documents WHERE document_index = :index AND held AND verify_time IS NOT NULL)))""",
)
_ORGANIZATION = Query(Organization, "SELECT {columns} FROM organizations WHERE id = CAST(:id AS uuid)")
_LOCK_ORGANIZATION = Query(Organization, "SELECT {columns} FROM organizations WHERE id = CAST(:id AS uuid) FOR UPDATE")
_BY_USCC = Query(Organization, "SELECT {columns} FROM organizations WHERE uscc = :uscc")


async def find_person(connection: DatabaseConnection, name: str) -> Person | None:
    """Reads a person of this region, or None where nobody is called so."""
    return await _PERSON.first(connection, id=id_of(name))


async def person(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Person:
    """Reads a person of this region, locked for change if wished; raises NotFound."""
    found = await (_LOCK_PERSON if lock else _PERSON).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def current_name(connection: DatabaseConnection, name: str) -> str:
    """Returns the name that leads on where the account of this name was merged into another, and else the same."""
    if not name.startswith("persons/"):
        return name
    found = await find_person(connection, name)
    return f"persons/{found.merged_into}" if found and found.merged_into else name


async def active_person(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Person:
    """Reads a person of this region; raises NotFound, or FailedPrecondition PERSON_NOT_ACTIVE."""
    found = await person(connection, name, lock=lock)
    if found.state != IN_USE:
        raise reasons.person_not_active("the person's account is not in use", person=name)
    return found


async def person_by_document(connection: DatabaseConnection, index: bytes) -> Person:
    """Reads the living account that stands on the document with this blind index, or has it verified; raises NotFound."""
    found = await _BY_DOCUMENT.first(connection, index=index)
    if found is None:
        raise not_found("persons")
    return found


async def organization(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Organization:
    """Reads an organisation, locked for change if wished; raises NotFound."""
    found = await (_LOCK_ORGANIZATION if lock else _ORGANIZATION).first(connection, id=id_of(name))
    if found is None:
        raise not_found(name)
    return found


async def active_organization(connection: DatabaseConnection, name: str, *, lock: bool = False) -> Organization:
    """Reads an organisation; raises NotFound, or FailedPrecondition ORGANIZATION_NOT_ACTIVE."""
    found = await organization(connection, name, lock=lock)
    if found.state != IN_USE:
        raise reasons.organization_not_active("the account is closed", organization=name)
    return found


async def organization_by_uscc(connection: DatabaseConnection, uscc: str) -> Organization:
    """Reads the organisation with this unified social credit code; raises NotFound."""
    found = await _BY_USCC.first(connection, uscc=uscc)
    if found is None:
        raise not_found("organizations")
    return found


def normal_number(type_code: str, number: str, field: str, today: date) -> str:
    """Returns a document's number as it is stored and searched; raises FIELD_INVALID where its own rule breaks."""
    return documents.normal_number(type_code, number, field, today)


def document_index(cipher: FieldCipher, type_code: str, number: str) -> bytes:
    """Returns the blind index under which an account is found by its document."""
    return cipher.blind_index(DOCUMENT_NUMBER, f"{type_code}:{number}")
