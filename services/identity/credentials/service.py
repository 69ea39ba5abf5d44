"""What other features ask of the cards that are bound."""

from libs.crypto.envelope import FieldCipher
from libs.db.connection import DatabaseConnection
from libs.db.uow import Transaction
from services.identity.credentials import store
from services.identity.credentials.convert import KINDS, clear_number
from services.identity.credentials.rules import CredentialKind
from tongban.identity.v1 import events_pb2 as events


async def medical_insurance_voucher(connection: DatabaseConnection, person: str, cipher: FieldCipher) -> str:
    """Returns the number of the medical insurance voucher that is bound to a person (an id); empty where none is."""
    found = await store.bound(connection, person, CredentialKind.MEDICAL_INSURANCE_VOUCHER)
    return clear_number(found, cipher) if found else ""


async def unbind_all(tx: Transaction, person: str) -> None:
    """Unbinds the cards that are bound to the code of a person, an id: they are free to be bound again."""
    for row in await store.unbind_all(tx.connection, person, tx.now):
        kind = KINDS.number(row.kind.value)
        told = events.CredentialBindingUnbound(credential_binding=row.name, person=f"persons/{person}", kind=kind)
        tx.emit(row.name, told)
