"""What the change of the document on which an account stands makes of its rows."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.crypto.envelope import FieldCipher
from libs.ids.uuid7 import uuid7
from services.identity.core.accounts import DOCUMENT_NUMBER, Person
from services.identity.core.further_documents import NUMBER, FurtherDocument


def standing_on(person: Person, heir: FurtherDocument, cipher: FieldCipher) -> dict[str, Any]:
    """Returns what changes of an account, by column, that stands on another of its documents from now on."""
    return {
        "document_type": heir.document_type,
        "document_number": cipher.encrypt_text(DOCUMENT_NUMBER, person.id, heir.clear_number(cipher)),
        "document_index": heir.document_index,
        "document_expire_date": heir.expire_date,
        "document_verify_time": heir.verify_time,
    }


def taken_away(person: Person, cipher: FieldCipher, now: datetime) -> FurtherDocument:
    """Returns what is kept of the document on which an account stood."""
    key = uuid7()
    return FurtherDocument(
        id=key,
        person=person.id,
        document_type=person.document_type,
        number=cipher.encrypt_text(NUMBER, key, person.clear_number(cipher)),
        document_index=person.document_index,
        expire_date=person.document_expire_date,
        verify_time=person.document_verify_time,
        create_time=person.create_time,
        update_time=now,
        remove_time=now,
        held=False,
    )


def shown(made: FurtherDocument, now: datetime) -> FurtherDocument:
    """Returns a new document as one that was seen to."""
    return replace(made, verify_time=now)
