"""Contact points of requests, codes, and the words that they are sent with."""

from datetime import datetime

from libs.crypto.envelope import Column, FieldCipher
from libs.ids.uuid7 import uuid7
from services.identity.contacts.notifier import Notification
from services.identity.contacts.rules import LIFE
from services.identity.contacts.store import TARGET, ContactCode
from services.identity.core.contact_points import ContactKind, value_index

_CODE = Column("contact_codes", "code")
_DIGITS = 6


def new_code(person: str, kind: ContactKind, value: str, cipher: FieldCipher, now: datetime) -> ContactCode:
    """Returns a code for a contact point of ``person``, an id; it is due at once."""
    key = uuid7()
    return ContactCode(
        id=key,
        person=person,
        kind=kind,
        target=cipher.encrypt_text(TARGET, key, value),
        value_index=value_index(cipher, kind, value),
        expire_time=now + LIFE,
        attempt_time=now,
        create_time=now,
        update_time=now,
    )


def digits(row: ContactCode, cipher: FieldCipher) -> str:
    """Returns the code: a keyed hash of its row's id, as six digits. Whoever reads the table alone can't tell it."""
    keyed = cipher.blind_index(_CODE, row.id)
    return f"{int.from_bytes(keyed) % 10**_DIGITS:0{_DIGITS}d}"


def notice(row: ContactCode, cipher: FieldCipher, region: str) -> Notification:
    """Returns what is sent, in Chinese and English; ``region`` is the region's name."""
    code, minutes = digits(row, cipher), int(LIFE.total_seconds()) // 60
    text = (
        f"【{region}】您的验证码是 {code}，{minutes} 分钟内有效。请勿告诉他人。\n"
        f"Your verification code is {code}. It is valid for {minutes} minutes. Do not tell it to anybody.\n"
    )
    subject = f"{region}：验证码 / Verification code"
    return Notification(row.id, cipher.decrypt_text(TARGET, row.id, row.target), subject, text)
