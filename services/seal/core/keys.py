"""The opened signing keys of the service, bounded in number."""

from functools import lru_cache

from libs.crypto.errors import CryptoError
from libs.crypto.keystore import Algorithm, KeyRef, KeyStore
from libs.crypto.provider import Signer
from libs.errors import Unavailable, reasons


def key_unavailable() -> Unavailable:
    """Builds the error for a key that can't be used now; its cause never leaves."""
    return reasons.key_unavailable("the signing key can't be used now; nothing was signed", retry_after=1.0)


class OpenedKeys:
    """Opens keys of the key store and keeps the most used ones open: opening reads and decrypts a file."""

    def __init__(self, store: KeyStore, size: int) -> None:
        """Takes the key store, and how many keys may be open at once."""
        self._store = store
        self._opened = lru_cache(maxsize=size)(self._open)

    def signer(self, name: str, version: int) -> Signer:
        """Returns the signer of one version of a key; raises Unavailable KEY_UNAVAILABLE."""
        return self._opened(name, version)

    def _open(self, name: str, version: int) -> Signer:
        try:
            return self._store.signer(name, version)
        except (CryptoError, OSError) as error:
            raise key_unavailable() from error

    def make(self, name: str) -> KeyRef:
        """Makes a new SM2 key, or the next version of one; raises Unavailable KEY_UNAVAILABLE."""
        try:
            return self._store.generate(name, Algorithm.SM2).ref
        except (CryptoError, OSError) as error:
            raise key_unavailable() from error

    def ensure(self, name: str) -> KeyRef:
        """Returns the newest version of an SM2 key, made if there is none; raises Unavailable KEY_UNAVAILABLE."""
        try:
            return self._store.ensure(name, Algorithm.SM2).ref
        except (CryptoError, OSError) as error:
            raise key_unavailable() from error


def sign(signer: Signer, message: bytes) -> bytes:
    """Signs ``message``; raises Unavailable KEY_UNAVAILABLE where the key refuses."""
    try:
        return signer.sign(message)
    except (CryptoError, OSError) as error:
        raise key_unavailable() from error
