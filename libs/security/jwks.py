"""The public keys of the token issuer, read over HTTP, kept while it is away, and dropped soon after it dropped them."""

import asyncio
import math
import time
from typing import Protocol

import httpx
from joserfc.jwk import ECKey, KeySet

from libs.errors import Unavailable, reasons
from libs.observability.logs import logger

_REFRESH_AT_MOST_EVERY = 1.0
_RENEW_KNOWN_EVERY = 5.0
_STALE_AFTER = 10.0
_WAITED = 1.0
"""For so long a call waits for news of a key that nobody asked for in a while."""
_TIMEOUT = 2.0
_log = logger(__name__)
_rest = asyncio.sleep


class KeySource(Protocol):
    """Where the verification keys come from."""

    async def key(self, kid: str) -> ECKey | None:
        """Returns the public key named ``kid``, or None if the issuer has no such key."""


class RemoteKeys:
    """The JWKS of the identity service (at ``urls``, one a replica), read anew when a token names a key that is not known yet, and beside the calls.

    Known keys hold while the issuer is away: what was valid stays valid. A key that leaked and was destroyed there is
    forgotten here once it was asked again, which no call waits for, but the first after a while without any, for a second at most.
    A key that nobody could ask for is no wrong key: that is Unavailable. A key is unknown only by an answer to what was asked after the
    call came: one that was made a moment ago is none that is wrong. A forged ``kid`` can't make this ask more often than once in a
    second, nor wait for more than that and the question.
    """

    def __init__(self, *urls: str, verify: str | bool = True) -> None:
        self._urls = urls
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, verify=verify, trust_env=False)
        self._keys: dict[str, ECKey] = {}
        self._asked = -math.inf
        self._answered = True
        self._asking: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> ECKey | None:
        """Returns the key named ``kid``; raises Unavailable if it is not known and the issuer can't be asked."""
        since = time.monotonic() - self._asked
        if kid in self._keys:
            if since >= _RENEW_KNOWN_EVERY:
                asking = self._ask()
                if since >= _STALE_AFTER:
                    await asyncio.wait((asking,), timeout=_WAITED)
            return self._keys.get(kid)
        if self._asking is not None and not self._asking.done():
            # What is under way may have been answered before the key was made.
            await asyncio.shield(self._asking)
        if kid not in self._keys:
            await asyncio.shield(self._ask())
        known = self._keys.get(kid)
        if known is None and not self._answered:
            raise _away()
        return known

    def _ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            # A task of its own: the caller who began it may hang up while others wait for it.
            self._asking = asyncio.create_task(self._refresh())
        return self._asking

    async def _refresh(self) -> None:
        await _rest(max(0.0, self._asked + _REFRESH_AT_MOST_EVERY - time.monotonic()))
        try:
            self._keys = await self._published()
            self._answered = True
        except Exception as error:  # noqa: BLE001 - whatever it answers, it is the issuer's fault and not the caller's
            _log.warning("the token issuer's keys can't be read", error=type(error).__qualname__)
            self._answered = False
        finally:
            self._asked = time.monotonic()

    async def _published(self) -> dict[str, ECKey]:
        """Asks the issuer's replicas in turn; raises what the last says where none answers."""
        for place, url in enumerate(self._urls, start=1):
            try:
                answer = await self._client.get(url)
                answer.raise_for_status()
                keys = KeySet.import_key_set(answer.json()).keys
                return {str(key.kid): key for key in keys if isinstance(key, ECKey)}
            except Exception:
                if place == len(self._urls):
                    raise
        return {}

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _away() -> Unavailable:
    return reasons.dependency_unavailable(
        "the token issuer's keys can't be read", retry_after=1.0, dependency="identity"
    )
