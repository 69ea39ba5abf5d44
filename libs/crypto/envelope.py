"""Field encryption at rest: SM4-GCM under versioned data keys, which the key store keeps under the master key.

Stored form of a field: format byte 0x01, version of the data key (4 bytes), nonce (12), ciphertext, tag (16). The
associated data binds it to table, column and row, so a value copied into another row does not open there.
"""

import os
from dataclasses import dataclass

from libs.crypto.errors import DecryptionFailed
from libs.crypto.keystore import Algorithm, KeyStore
from libs.crypto.provider import GCM_NONCE_SIZE, GCM_TAG_SIZE, SmProvider
from libs.crypto.sm3 import HmacSm3

_FORMAT = b"\x01"
_HEADER_SIZE = 5
_PREFIX_SIZE = _HEADER_SIZE + GCM_NONCE_SIZE

OVERHEAD = _PREFIX_SIZE + GCM_TAG_SIZE
"""Bytes that encryption adds to a field."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that holds encrypted fields."""

    table: str
    name: str


class FieldCipher:
    """Encrypts the personal fields of one service. Safe for threads."""

    def __init__(self, data_keys: dict[int, bytes], index_key: bytes, provider: SmProvider) -> None:
        """Takes the data keys by version (the highest one encrypts) and the key of the blind index."""
        self._data_keys = data_keys
        self._current = max(data_keys)
        self._index_key = index_key
        self._fingerprints = HmacSm3(index_key)
        self._provider = provider

    @classmethod
    def open(cls, store: KeyStore, provider: SmProvider, name: str = "fields") -> "FieldCipher":
        """Opens the keys ``<name>-data`` (all versions) and ``<name>-index``, and makes them on first use.

        A new version of the data key is used from the next start on. The index key is never rotated in place: a new
        one means writing every blind index anew.
        """
        store.ensure(f"{name}-data", Algorithm.SM4)
        index_key = store.ensure(f"{name}-index", Algorithm.HMAC_SM3).secret
        versions = store.versions(f"{name}-data")
        return cls({version: store.load(f"{name}-data", version).secret for version in versions}, index_key, provider)

    def encrypt(self, column: Column, row_id: str, plaintext: bytes) -> bytes:
        """Returns the stored form of a field of the row ``row_id``, ``OVERHEAD`` bytes longer."""
        header = _FORMAT + self._current.to_bytes(4)
        nonce = os.urandom(GCM_NONCE_SIZE)
        aad = _associated_data(header, column, row_id)
        return header + nonce + self._provider.sm4_gcm_encrypt(self._data_keys[self._current], nonce, plaintext, aad)

    def decrypt(self, column: Column, row_id: str, stored: bytes) -> bytes:
        """Returns the field that ``encrypt`` was given for the same column and row.

        Raises:
            DecryptionFailed: if it belongs elsewhere, was changed, or its data key is gone.
        """
        header, nonce = stored[:_HEADER_SIZE], stored[_HEADER_SIZE:_PREFIX_SIZE]
        key = self._data_keys.get(self._version(stored))
        if key is None:
            raise DecryptionFailed("the data key of this field is not here")
        aad = _associated_data(header, column, row_id)
        return self._provider.sm4_gcm_decrypt(key, nonce, stored[_PREFIX_SIZE:], aad)

    def encrypt_text(self, column: Column, row_id: str, text: str) -> bytes:
        """Encrypts a text as UTF-8."""
        return self.encrypt(column, row_id, text.encode())

    def decrypt_text(self, column: Column, row_id: str, stored: bytes) -> str:
        """Decrypts what ``encrypt_text`` returned; raises DecryptionFailed as ``decrypt``."""
        return self.decrypt(column, row_id, stored).decode()

    def is_outdated(self, stored: bytes) -> bool:
        """Says whether the field was encrypted under an older data key, so that a rotation should write it anew."""
        return self._version(stored) != self._current

    def blind_index(self, column: Column, text: str) -> bytes:
        """Returns the 32 bytes by which a field can be searched for equality without being readable.

        The caller normalises ``text`` first (upper-case check characters, no blanks). Equal fields of different
        columns have different indexes, so that tables can't be joined on them.
        """
        return self._provider.hmac_sm3(self._index_key, _framed(column.table, column.name, text))

    def fingerprint(self, column: Column, row_id: str, data: bytes) -> bytes:
        """Returns the 32 bytes by which it is told later whether ``data`` were these, without being guessed from.

        Unlike a blind index they are the row's own: equal data of two rows have nothing in common.
        """
        return self._fingerprints.digest(_framed(column.table, column.name, row_id) + data)

    def _version(self, stored: bytes) -> int:
        if len(stored) < OVERHEAD or stored[:1] != _FORMAT:
            raise DecryptionFailed("not an encrypted field")
        return int.from_bytes(stored[1:_HEADER_SIZE])


def _associated_data(header: bytes, column: Column, row_id: str) -> bytes:
    return header + _framed(column.table, column.name, row_id)


def _framed(*parts: str) -> bytes:
    """Joins texts so that no two different lists give the same bytes."""
    return b"".join(len(encoded).to_bytes(4) + encoded for encoded in (part.encode() for part in parts))
