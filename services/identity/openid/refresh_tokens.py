"""Refresh tokens: which sign-in, the how manieth, and a seal of ours on both. None is stored, and so none can be read anywhere.

The same one can be made again, for a client that lost the answer to its refresh.
"""

import base64
import hmac
import re

from libs.crypto.keystore import Algorithm, KeyStore
from libs.crypto.provider import SmProvider
from services.identity.core.sign_in_grants import SignInGrant

_NAME = "refresh-tokens"
_FORM = re.compile(r"r1\.([0-9a-f-]{36})\.([1-9][0-9]{0,8})\.([0-9A-Za-z_-]{43})", re.ASCII)


class RefreshTokens:
    """Makes refresh tokens and reads them."""

    def __init__(self, store: KeyStore, provider: SmProvider) -> None:
        self._key = store.ensure(_NAME, Algorithm.HMAC_SM3).secret
        self._provider = provider

    def make(self, grant: SignInGrant, generation: int) -> str:
        """Returns the refresh token of a sign-in with this number."""
        return f"r1.{grant.id}.{generation}.{self._seal(grant.id, generation)}"

    def read(self, token: str) -> tuple[str, int] | None:
        """Returns the id of the sign-in and the number, or None where the token is none of ours."""
        found = _FORM.fullmatch(token)
        if found is None:
            return None
        identifier, generation = found[1], int(found[2])
        return (identifier, generation) if hmac.compare_digest(found[3], self._seal(identifier, generation)) else None

    def _seal(self, identifier: str, generation: int) -> str:
        mac = self._provider.hmac_sm3(self._key, f"{identifier}.{generation}".encode())
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")
