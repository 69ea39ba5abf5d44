"""The public keys of the token issuer, read over HTTP and kept until an unknown key id asks for more."""

import time
from typing import Protocol

import httpx
from joserfc.jwk import ECKey, KeySet

from libs.errors import Unavailable

_REFRESH_AT_MOST_EVERY = 2.0


class KeySource(Protocol):
    """Where the verification keys come from."""

    async def key(self, kid: str) -> ECKey | None:
        """Returns the public key named ``kid``, or None if the issuer has no such key."""


class RemoteKeys:
    """The JWKS of the identity service, refreshed when a token names a key that is not known yet.

    A forged ``kid`` can't make this ask more often than once in two seconds.
    """

    def __init__(self, url: str, *, verify: str | bool = True) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=5.0, verify=verify, trust_env=False)
        self._keys: dict[str, ECKey] = {}
        self._asked = -_REFRESH_AT_MOST_EVERY

    async def key(self, kid: str) -> ECKey | None:
        """Returns the key named ``kid``; raises Unavailable if the issuer can't be asked."""
        known = self._keys.get(kid)
        if known is not None or time.monotonic() - self._asked < _REFRESH_AT_MOST_EVERY:
            return known
        await self._refresh()
        return self._keys.get(kid)

    async def _refresh(self) -> None:
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            keys = KeySet.import_key_set(answer.json()).keys
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                "DEPENDENCY_UNAVAILABLE",
                "the token issuer's keys can't be read",
                retry_after=1.0,
                dependency="identity",
            ) from error
        self._asked = time.monotonic()
        self._keys = {str(key.kid): key for key in keys if isinstance(key, ECKey)}

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
