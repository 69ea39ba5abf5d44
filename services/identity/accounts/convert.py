"""What a request to open an account describes; what accounts are as messages stands in ``core``."""

from collections.abc import Sequence
from datetime import datetime

from libs.crypto.envelope import FieldCipher
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import (
    DOCUMENT_NUMBER,
    FULL_NAME,
    Person,
    document_index,
)
from services.identity.core.further_documents import FurtherDocument
from services.identity.core.person_messages import new_document, optional_date
from tongban.identity.v1 import resources_pb2 as pb


def new_person(person: pb.Person, numbers: Sequence[str], cipher: FieldCipher, now: datetime) -> Person:
    """Returns the account that a request describes; ``numbers`` are its documents', as they are stored: it stands on the first."""
    key, held = uuid7(), person.documents[0]
    return Person(
        id=key,
        full_name=cipher.encrypt_text(FULL_NAME, key, person.full_name),
        document_type=held.document.type_code,
        document_number=cipher.encrypt_text(DOCUMENT_NUMBER, key, numbers[0]),
        document_index=document_index(cipher, held.document.type_code, numbers[0]),
        document_expire_date=optional_date(held.expire_date, "person.documents[0].expire_date"),
        phone=None,
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
