"""Persons as messages, and their documents back. What is masked of them is masked here, and only here."""

from collections.abc import Iterable
from datetime import date, datetime

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, date_message, date_of, timestamp
from services.identity.core.accounts import Person, document_index
from services.identity.core.contact_points import ContactKind, ReachablePoint, new_point
from services.identity.core.further_documents import NUMBER, FurtherDocument
from services.identity.core.masking import mask_name, mask_number
from services.identity.core.whole_person import WholePerson
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as pb

_STATES = Names(pb.PersonState)


def mask_phone(phone: str) -> str:
    """``13812341234`` becomes ``138****1234``."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "*" * len(phone)


def mask_email(address: str) -> str:
    """``zhang@example.com`` becomes ``z***@example.com``."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}***@{domain}"


def optional_date(message: common_pb2.Date, field: str) -> date | None:
    """Returns a day, None where it is not set; raises FIELD_INVALID where no calendar has it."""
    return date_of(message, field) if message.year else None


def new_document(
    person: str, held: pb.HeldDocument, number: str, field: str, cipher: FieldCipher, now: datetime
) -> FurtherDocument:
    """Returns a further document of ``person``, an id, that nobody has seen to yet; ``field`` is that of its last day."""
    key, kind = uuid7(), held.document.type_code
    return FurtherDocument(
        id=key,
        person=person,
        document_type=kind,
        number=cipher.encrypt_text(NUMBER, key, number),
        document_index=document_index(cipher, kind, number),
        expire_date=optional_date(held.expire_date, field),
        verify_time=None,
        create_time=now,
        update_time=now,
    )


def said(point: pb.ContactPoint) -> tuple[ContactKind, str]:
    """Returns what a contact point of a request is: its kind, and the number or address."""
    member = str(point.WhichOneof("point"))
    return ContactKind(member.upper()), str(getattr(point, member))


def new_points(
    person: str, points: Iterable[pb.ContactPoint], cipher: FieldCipher, now: datetime
) -> list[ReachablePoint]:
    """Returns the contact points of a request, in their order, for ``person``, an id; nobody has shown them yet."""
    return [new_point(person, place, *said(each), cipher, now) for place, each in enumerate(points)]


def person_message(person: WholePerson, cipher: FieldCipher, *, clear: bool = False, pseudonym: str = "") -> pb.Person:
    """Builds a person's message, masked unless ``clear``; ``pseudonym`` is that for who reads."""
    row = person.row
    name = row.clear_name(cipher)
    return pb.Person(
        name=row.name,
        full_name=name if clear else mask_name(name),
        documents=[
            _standing(row, cipher, clear=clear),
            *(_further(each, cipher, clear=clear) for each in person.further),
        ],
        contact_points=[_point(each, cipher, clear=clear) for each in person.points],
        assurance=row.assurance,
        assurance_time=timestamp(row.assurance_time),
        state=_STATES.number(row.state),
        merged_into=f"persons/{row.merged_into}" if row.merged_into else "",
        merged_persons=row.former_names,
        pseudonym=pseudonym,
        masked=not clear,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def _point(row: ReachablePoint, cipher: FieldCipher, *, clear: bool) -> pb.ContactPoint:
    value, verified = row.clear_value(cipher), timestamp(row.verify_time)
    if row.kind is ContactKind.EMAIL:
        return pb.ContactPoint(email=value if clear else mask_email(value), verify_time=verified)
    return pb.ContactPoint(phone=value if clear else mask_phone(value), verify_time=verified)


def _standing(row: Person, cipher: FieldCipher, *, clear: bool) -> pb.HeldDocument:
    document = _document(row.document_type, row.clear_number(cipher), clear=clear)
    return _held(document, row.document_expire_date, row.document_verify_time)


def _further(row: FurtherDocument, cipher: FieldCipher, *, clear: bool) -> pb.HeldDocument:
    return _held(_document(row.document_type, row.clear_number(cipher), clear=clear), row.expire_date, row.verify_time)


def _document(type_code: str, number: str, *, clear: bool) -> common_pb2.IdentityDocument:
    return common_pb2.IdentityDocument(type_code=type_code, number=number if clear else mask_number(number))


def _held(document: common_pb2.IdentityDocument, expires: date | None, verified: datetime | None) -> pb.HeldDocument:
    return pb.HeldDocument(document=document, expire_date=date_message(expires), verify_time=timestamp(verified))
