"""Rows to messages. What is masked is masked here, and only here."""

from datetime import date

from libs.crypto.envelope import Column, FieldCipher
from libs.db.engine import Row
from libs.db.etag import etag_of
from libs.errors import invalid_field
from libs.names import printed
from libs.rpc.timestamps import timestamp
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as pb

FULL_NAME = Column("persons", "full_name")
DOCUMENT_NUMBER = Column("persons", "document_number")
PHONE = Column("persons", "phone")


def mask_name(name: str) -> str:
    """``张三丰`` becomes ``张**``."""
    drawn = printed(name)
    return drawn[:1] + "*" * max(1, len(drawn) - 1)


def mask_number(number: str) -> str:
    """Keeps the first three and the last four characters of a document's number."""
    return number[:3] + "*" * max(1, len(number) - 7) + number[-4:] if len(number) > 7 else "*" * len(number)


def mask_phone(phone: str) -> str:
    """``13812341234`` becomes ``138****1234``."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 11 else "*" * len(phone)


def _date(value: date | None) -> common_pb2.Date | None:
    return common_pb2.Date(year=value.year, month=value.month, day=value.day) if value else None


def date_of(message: common_pb2.Date, field: str) -> date | None:
    """Returns a Date, None where it is not set; raises InvalidArgument FIELD_INVALID where no calendar has it."""
    if not message.year:
        return None
    try:
        return date(message.year, message.month, message.day)
    except ValueError as error:
        raise invalid_field(field, "date.calendar", "is no day of the calendar") from error


def person_message(row: Row, cipher: FieldCipher, *, clear: bool = False) -> pb.Person:
    """Builds a person's message, masked unless ``clear``."""
    name = cipher.decrypt_text(FULL_NAME, row.id, row.full_name)
    number = cipher.decrypt_text(DOCUMENT_NUMBER, row.id, row.document_number)
    phone = cipher.decrypt_text(PHONE, row.id, row.phone) if row.phone else ""
    return pb.Person(
        name=f"persons/{row.id}",
        full_name=name if clear else mask_name(name),
        document=common_pb2.IdentityDocument(
            type_code=row.document_type, number=number if clear else mask_number(number)
        ),
        document_expire_date=_date(row.document_expire_date),
        phone=phone if clear else mask_phone(phone),
        assurance=row.assurance,
        assurance_time=timestamp(row.assurance_time),
        state=pb.PersonState.Value(f"PERSON_STATE_{row.state}"),
        merged_into=f"persons/{row.merged_into}" if row.merged_into else "",
        masked=not clear,
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def organization_message(row: Row) -> pb.Organization:
    """Builds an organisation's message."""
    return pb.Organization(
        name=f"organizations/{row.id}",
        display_name=row.display_name,
        uscc=row.uscc,
        kind=pb.OrganizationKind.Value(f"ORGANIZATION_KIND_{row.kind}"),
        legal_representative=f"persons/{row.legal_representative}" if row.legal_representative else "",
        legal_representative_time=timestamp(row.legal_representative_time),
        state=pb.OrganizationState.Value(f"ORGANIZATION_STATE_{row.state}"),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )
