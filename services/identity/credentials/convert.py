"""Bindings as messages, and back."""

from datetime import datetime

from libs.crypto.envelope import FieldCipher
from libs.db.etag import etag_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import Names, timestamp
from services.identity.credentials.rules import CredentialBinding, CredentialKind, mask_card
from services.identity.credentials.store import NUMBER
from tongban.identity.v1 import code_service_pb2 as pb

KINDS, _STATES = Names(pb.CredentialKind), Names(pb.CredentialBindingState)


def binding_message(row: CredentialBinding, cipher: FieldCipher) -> pb.CredentialBinding:
    """Builds a binding's message; the number is masked."""
    return pb.CredentialBinding(
        name=row.name,
        person=f"persons/{row.person}",
        kind=KINDS.number(row.kind.value),
        number=mask_card(clear_number(row, cipher)),
        state=_STATES.number(row.state.value),
        binder=row.binder,
        unbind_time=timestamp(row.unbind_time),
        create_time=timestamp(row.create_time),
        update_time=timestamp(row.update_time),
        etag=etag_of(row.version),
    )


def clear_number(row: CredentialBinding, cipher: FieldCipher) -> str:
    """Decrypts a card's number."""
    return cipher.decrypt_text(NUMBER, row.id, row.number)


def new_binding(
    request: pb.BindCredentialRequest, person: str, binder: str, cipher: FieldCipher, now: datetime
) -> CredentialBinding:
    """Returns the binding that a request describes; ``person`` is an id."""
    key, kind = uuid7(), CredentialKind(KINDS.name(request.kind))
    return CredentialBinding(
        id=key,
        person=person,
        kind=kind,
        number=cipher.encrypt_text(NUMBER, key, request.number),
        number_index=cipher.blind_index(NUMBER, f"{kind}:{request.number}"),
        binder=binder,
        create_time=now,
        update_time=now,
    )
