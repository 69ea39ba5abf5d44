"""What a record says of the bytes that came and went: a digest that shows nothing to whoever lacks the record's salt.

A digest of a question alone would tell what was asked: somebody who reads the log tries every number that a person can have, and
compares. So the record holds ``SM3(salt || SM3(bytes))``. The salt is the record's own, derived from a key that only the
service has; it travels in the receipt, to the caller alone, and stands neither in the log nor in a copy of it. Whoever holds the
receipt and the bytes shows by them what was asked; who holds the log alone learns nothing, and who has another's bytes can't
say that they were these.
"""

import hmac

from libs.crypto.sm3 import HmacSm3, sm3


def salt_of(key: HmacSm3, record: str) -> bytes:
    """Returns the salt (32 bytes) of the record ``<service>/auditRecords/<uuid>``, always the same under one key."""
    return key.digest(b"tongban-digest-salt 1\n" + record.encode())


def salted(salt: bytes, digest: bytes) -> bytes:
    """Returns what a record holds of bytes whose SM3 is ``digest``; nothing of nothing."""
    return sm3(salt + digest) if digest else b""


def opens(salt: bytes, data: bytes, recorded: bytes) -> bool:
    """Tells whether ``recorded`` stands for exactly the bytes ``data``."""
    return hmac.compare_digest(salted(salt, sm3(data)), recorded)
