"""Accounts as messages, and back. What is masked of them is masked here, by ``core.masking``."""

from datetime import date, datetime

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, date_message, date_of, timestamp
from services.identity.core.accounts import (
    DOCUMENT_NUMBER,
    FULL_NAME,
    PHONE,
    Organization,
    Person,
    document_index,
)
from services.identity.core.masking import mask_name, mask_number
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import resources_pb2 as pb

KINDS = Names(party_pb2.PartyKind)
_PERSON_STATES, _ORGANIZATION_STATES = Names(pb.PersonState), Names(pb.OrganizationState)


def mask_phone(phone: str) -> str:
    """``13812341234`` becomes ``138****1234``."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "*" * len(phone)


def optional_date(message: common_pb2.Date, field: str) -> date | None:
    """Returns a day, None where it is not set; raises FIELD_INVALID where no calendar has it."""
    return date_of(message, field) if message.year else None


def held_of(person: pb.Person) -> pb.HeldDocument:
    """Returns the document that an account is opened on: the contract takes exactly one."""
    return person.documents[0]


def _phone_of(person: pb.Person) -> str:
    """Returns the phone that a request gives, an empty string where it gives none: the contract takes one contact point."""
    return person.contact_points[0].phone if person.contact_points else ""


def new_person(person: pb.Person, number: str, cipher: FieldCipher, now: datetime) -> Person:
    """Returns the account that a request describes; ``number`` is the document's, as it is stored."""
    key, held, phone = uuid7(), held_of(person), _phone_of(person)
    return Person(
        id=key,
        full_name=cipher.encrypt_text(FULL_NAME, key, person.full_name),
        document_type=held.document.type_code,
        document_number=cipher.encrypt_text(DOCUMENT_NUMBER, key, number),
        document_index=document_index(cipher, held.document.type_code, number),
        document_expire_date=optional_date(held.expire_date, "person.documents[0].expire_date"),
        phone=cipher.encrypt_text(PHONE, key, phone) if phone else None,
        create_time=now,
        update_time=now,
    )


def person_message(row: Person, cipher: FieldCipher, *, clear: bool = False) -> pb.Person:
    """Builds a person's message, masked unless ``clear``."""
    name, number, phone = row.clear_name(cipher), row.clear_number(cipher), row.clear_phone(cipher)
    return pb.Person(
        name=row.name,
        full_name=name if clear else mask_name(name),
        documents=[
            pb.HeldDocument(
                document=common_pb2.IdentityDocument(
                    type_code=row.document_type, number=number if clear else mask_number(number)
                ),
                expire_date=date_message(row.document_expire_date),
            )
        ],
        contact_points=[pb.ContactPoint(phone=phone if clear else mask_phone(phone))] if phone else [],
        assurance=row.assurance,
        assurance_time=timestamp(row.assurance_time),
        state=_PERSON_STATES.number(row.state),
        merged_into=f"persons/{row.merged_into}" if row.merged_into else "",
        masked=not clear,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


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
