"""Documents of a person beside the one on which the account stands: the table, its records, and what several features read of them.

The document on which an account stands is in the account's own row; these are the others, and those that were taken away.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from libs.crypto.envelope import Column, FieldCipher
from libs.db import columns
from libs.db.connection import DatabaseConnection
from libs.db.leader import turn
from libs.db.query import Query, joined, of
from libs.errors import reasons
from services.identity.core import schema
from services.identity.core.accounts import Person

NUMBER = Column("further_documents", "number")

further_documents = sa.Table(
    "further_documents",
    schema.METADATA,
    columns.record_id(),
    sa.Column("person", sa.Uuid(as_uuid=False), sa.ForeignKey("persons.id"), nullable=False),
    sa.Column("document_type", sa.Text, nullable=False),
    sa.Column("number", sa.LargeBinary, nullable=False),
    sa.Column("document_index", sa.LargeBinary, nullable=False),
    sa.Column("expire_date", sa.Date),
    columns.moment("verify_time"),
    columns.moment("remove_time"),
    sa.Column("held", sa.Boolean, nullable=False),
    *columns.life(),
    sa.Index("further_documents_index", "document_index", unique=True, postgresql_where=sa.text("held")),
    sa.Index("further_documents_person", "person", "create_time", "id"),
    comment="Documents of persons beside the one on which the account stands; held while the account lives and has them.",
)


@of(further_documents)
@dataclass(frozen=True, slots=True)
class FurtherDocument:
    """A document beside the one on which the account of ``person`` (an id) stands. The number is encrypted.

    ``held`` ends with the account, and where the document is taken away, at ``remove_time``.
    """

    id: str
    person: str
    document_type: str
    number: bytes
    document_index: bytes
    expire_date: date | None
    verify_time: datetime | None
    create_time: datetime
    update_time: datetime
    remove_time: datetime | None = None
    held: bool = True
    version: int = 1

    def clear_number(self, cipher: FieldCipher) -> str:
        """Decrypts the number."""
        return cipher.decrypt_text(NUMBER, self.id, self.number)


@of(joined(person=further_documents.c.person))
@dataclass(frozen=True, slots=True)
class DocumentHolder:
    """Whose a document is, an id."""

    person: str


_OF_PERSON = Query(
    FurtherDocument,
    """SELECT {columns} FROM further_documents WHERE person = CAST(:person AS uuid) AND remove_time IS NULL
    ORDER BY create_time, id""",
)
_HOLDERS = Query(
    DocumentHolder,
    """SELECT {columns} FROM (
      SELECT id AS person FROM persons WHERE document_index = ANY(CAST(:indexes AS bytea[])) AND state = 'ACTIVE'
      UNION SELECT person FROM further_documents WHERE document_index = ANY(CAST(:indexes AS bytea[])) AND held
    ) AS holders""",
)
_VERIFY = Query(
    FurtherDocument,
    """UPDATE further_documents SET verify_time = CAST(:now AS timestamptz), update_time = :now, version = version + 1
    WHERE person = CAST(:person AS uuid) AND document_index = :document_index AND held RETURNING {columns}""",
)


async def further_of(connection: DatabaseConnection, person: str) -> list[FurtherDocument]:
    """Reads the documents of a person, an id, beside the one on which the account stands; the oldest first."""
    return await _OF_PERSON.all(connection, person=person)


async def take(connection: DatabaseConnection, indexes: Iterable[bytes], person: str = "") -> None:
    """Takes documents, by their blind indexes, for the account of ``person``, an id, or for a new one.

    Until the transaction ends nobody else takes one of them: two tables hold documents, and no index of one sees the other.

    Raises:
        AlreadyExists: RESOURCE_EXISTS, another living account has one of them.
    """
    wanted = sorted(indexes)
    for index in wanted:
        await turn(connection, f"identity:document:{index.hex()}")
    if {each.person for each in await _HOLDERS.all(connection, indexes=wanted)} - {person}:
        raise reasons.resource_exists("another living account has the document", resource="persons")


async def verify(connection: DatabaseConnection, person: Person, index: bytes, now: datetime) -> dict[str, Any]:
    """Notes that a document of an account was shown to be the person's; one that was taken away meanwhile is left.

    Returns:
        What changes of the account itself, by column, where it stands on that document.
    """
    if index == person.document_index:
        return {"document_verify_time": now}
    await _VERIFY.first(connection, person=person.id, document_index=index, now=now)
    return {}
