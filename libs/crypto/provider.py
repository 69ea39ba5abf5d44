"""The interface to SM2, SM3 and SM4, so that software, a device or a signing server can stand behind it.

Implementations are safe for threads. They block: call them from a bounded pool, not from the event loop, where many
signatures are made at once (one takes about a quarter of a millisecond).
"""

from typing import Protocol

from libs.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey

SM4_KEY_SIZE = 16
"""Bytes of an SM4 key."""

GCM_NONCE_SIZE = 12
"""Bytes of the nonces that we make; one key serves at most 2**32 random ones (NIST SP 800-38D, 8.3)."""

GCM_TAG_SIZE = 16
"""Bytes of the tag, which stands behind the ciphertext."""


class SmProvider(Protocol):
    """The algorithms."""

    def sm2_generate(self) -> Sm2PrivateKey:
        """Makes a key pair."""
        ...

    def sm2_sign(self, private_key: Sm2PrivateKey, message: bytes) -> bytes:
        """Signs ``message`` (not a digest of it) with the default identifier; returns DER SEQUENCE {r, s}.

        Raises:
            InvalidKey: if the backend refuses the key.
        """
        ...

    def sm2_verify(self, public_key: Sm2PublicKey, message: bytes, signature: bytes) -> None:
        """Checks a DER signature over ``message`` with the default identifier.

        Raises:
            InvalidSignature: if it does not hold.
        """
        ...

    def sm3(self, data: bytes) -> bytes:
        """Returns the SM3 digest, 32 bytes."""
        ...

    def hmac_sm3(self, key: bytes, data: bytes) -> bytes:
        """Returns HMAC-SM3, 32 bytes."""
        ...

    def sm4_gcm_encrypt(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypts and authenticates (RFC 8998); returns the ciphertext followed by the 16 bytes of the tag.

        Raises:
            InvalidKey: if the key is not of 16 bytes.
        """
        ...

    def sm4_gcm_decrypt(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Checks and decrypts what ``sm4_gcm_encrypt`` returned.

        Raises:
            InvalidKey: if the key is not of 16 bytes.
            DecryptionFailed: if anything was changed.
        """
        ...


class Signer(Protocol):
    """One SM2 key that signs, wherever its private half is kept."""

    @property
    def public_key(self) -> Sm2PublicKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Signs ``message`` with the default identifier; returns DER SEQUENCE {r, s}."""
        ...


class SoftwareSigner:
    """A signer whose private key is in this process."""

    def __init__(self, provider: SmProvider, private_key: Sm2PrivateKey) -> None:
        self._provider = provider
        self._private_key = private_key

    @property
    def public_key(self) -> Sm2PublicKey:
        """The public half."""
        return self._private_key.public_key

    def sign(self, message: bytes) -> bytes:
        """Signs ``message`` with the default identifier; returns DER SEQUENCE {r, s}."""
        return self._provider.sm2_sign(self._private_key, message)
