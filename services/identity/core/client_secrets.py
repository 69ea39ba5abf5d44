"""Secrets of clients: 256 random bits, stored as HMAC-SM3 (why no slow hash: docs/decisions/0010-client-secrets-by-keyed-hash.md)."""

import hmac
import secrets

from libs.crypto.keystore import Algorithm, KeyStore
from libs.crypto.provider import SmProvider

_NAME = "client-secrets"
_BYTES = 32
_LONGEST = 200
_MAC_BYTES = 32


class ClientSecrets:
    """Makes secrets and compares them."""

    def __init__(self, store: KeyStore, provider: SmProvider) -> None:
        self._key = store.ensure(_NAME, Algorithm.HMAC_SM3).secret
        self._provider = provider

    def make(self) -> str:
        """Returns a new secret, 43 characters of base64url."""
        return secrets.token_urlsafe(_BYTES)

    def mac(self, secret: str) -> bytes:
        """Returns what is stored of a secret."""
        return self._provider.hmac_sm3(self._key, secret.encode())

    def holds(self, secret: str, stored: bytes | None) -> bool:
        """Says whether ``secret`` is the one that ``stored`` was made of, in the same time either way."""
        if len(secret) > _LONGEST:
            return False
        same = hmac.compare_digest(self.mac(secret), stored or bytes(_MAC_BYTES))
        return same and stored is not None
