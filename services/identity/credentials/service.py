"""What other features ask of the cards that are bound."""

from libs.crypto.envelope import FieldCipher
from libs.db.connection import DatabaseConnection
from services.identity.credentials import store
from services.identity.credentials.convert import clear_number
from services.identity.credentials.rules import CredentialKind


async def medical_insurance_voucher(connection: DatabaseConnection, person: str, cipher: FieldCipher) -> str:
    """Returns the number of the medical insurance voucher that is bound to a person (an id); empty where none is."""
    found = await store.bound(connection, person, CredentialKind.MEDICAL_INSURANCE_VOUCHER)
    return clear_number(found, cipher) if found else ""
