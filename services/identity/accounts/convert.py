"""Accounts as messages, and back; what a person's message is stands in ``core.person_messages``."""

from collections.abc import Sequence
from datetime import datetime

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.core.accounts import (
    DOCUMENT_NUMBER,
    FULL_NAME,
    PHONE,
    Organization,
    Person,
    document_index,
)
from services.identity.core.further_documents import FurtherDocument
from services.identity.core.person_messages import new_document, optional_date
from tongban.common.v1 import party_pb2
from tongban.identity.v1 import resources_pb2 as pb

KINDS = Names(party_pb2.PartyKind)
_ORGANIZATION_STATES = Names(pb.OrganizationState)


def _phone_of(person: pb.Person) -> str:
    """Returns the phone that a request gives, an empty string where it gives none: the contract takes one contact point."""
    return person.contact_points[0].phone if person.contact_points else ""


def new_person(person: pb.Person, numbers: Sequence[str], cipher: FieldCipher, now: datetime) -> Person:
    """Returns the account that a request describes; ``numbers`` are its documents', as they are stored: it stands on the first."""
    key, held, phone = uuid7(), person.documents[0], _phone_of(person)
    return Person(
        id=key,
        full_name=cipher.encrypt_text(FULL_NAME, key, person.full_name),
        document_type=held.document.type_code,
        document_number=cipher.encrypt_text(DOCUMENT_NUMBER, key, numbers[0]),
        document_index=document_index(cipher, held.document.type_code, numbers[0]),
        document_expire_date=optional_date(held.expire_date, "person.documents[0].expire_date"),
        phone=cipher.encrypt_text(PHONE, key, phone) if phone else None,
        create_time=now,
        update_time=now,
    )


def further_documents(
    person: pb.Person, numbers: Sequence[str], made: Person, cipher: FieldCipher
) -> list[FurtherDocument]:
    """Returns the documents that a request names beside the first, of the account ``made``; nobody has seen to them yet."""
    return [
        new_document(made.id, held, numbers[at], f"person.documents[{at}].expire_date", cipher, made.create_time)
        for at, held in enumerate(person.documents)
        if at
    ]


def organization_message(row: Organization) -> pb.Organization:
    """Builds an organisation's message."""
    return pb.Organization(
        name=row.name,
        display_name=row.display_name,
        uscc=row.uscc,
        kind=KINDS.number(row.kind),
        legal_representative=row.representative,
        legal_representative_time=timestamp(row.legal_representative_time),
        state=_ORGANIZATION_STATES.number(row.state),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
