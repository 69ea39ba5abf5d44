"""Whether a repeated request_id came with the same body: what is kept of the first, and how the second is compared.

Two bodies are the same where their bytes are, or where they say the same. A repeat may come from another replica of the caller,
whose library writes the fields in another order: it is no other request, and refusing it would leave its sender with no
answer for what was done. So the meaning is compared too: the message as we write it, fields by ascending number. The bytes
count by themselves: a release of ours that wrote the same message otherwise would still know a repeat that came as it came before.

Nothing but a keyed digest is kept. The plain one of a body that holds a person's number would give the number away to whoever
holds a copy of the table and tries them all.
"""

import hmac

from libs.crypto.envelope import Column, FieldCipher
from libs.db.command import Command

_VERSION = b"\x01"
_COLUMN = Column("idempotency", "digest")
_SIZE = 32


def row_of(command: Command) -> str:
    """Names the row of a command."""
    return f"{command.caller}\n{command.method}\n{command.request_id}"


def kept_body(cipher: FieldCipher, command: Command) -> bytes:
    """Returns what is kept of a command's body: a version, and keyed digests of its bytes and of its meaning."""
    exact = cipher.fingerprint(_COLUMN, row_of(command), command.digest)
    meaning = command.meaning or command.digest
    same = meaning == command.digest
    return _VERSION + exact + (exact if same else cipher.fingerprint(_COLUMN, row_of(command), meaning))


def same_body(cipher: FieldCipher, command: Command, kept: bytes) -> bool:
    """Tells whether a command came with the body of which ``kept`` is kept."""
    first, now = _halves(kept), _halves(kept_body(cipher, command))
    return kept[:1] == _VERSION and any(hmac.compare_digest(*each) for each in zip(first, now, strict=True))


def _halves(kept: bytes) -> tuple[bytes, bytes]:
    return kept[1 : 1 + _SIZE], kept[1 + _SIZE :]
