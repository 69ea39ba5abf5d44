"""The keys that sign this region's tokens, and those that sign its personal codes: ES256, in the key store, changed by themselves (``rotation``)."""

import asyncio
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from joserfc.jwk import ECKey

from libs.background import attempt
from libs.clock import Clock
from libs.crypto.errors import DecryptionFailed, KeyNotFound
from libs.crypto.keystore import Algorithm, KeyStore
from libs.observability.logs import logger, place_of
from services.identity.core.rotation import KeyPlan, KeyTime, plan

_log = logger(__name__)
TOKENS, CODES = "token", "code"
"""What keys are for, one purpose a key: so they are called in the key store."""
_KNOWN_FOR = 5.0
"""For so long a key is taken without another look: one that leaked and was destroyed verifies no longer than that."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One version of the key; its id is its RFC 7638 thumbprint."""

    version: int
    kid: str
    key: ECKey
    create_time: datetime
    begin_time: datetime | None = None

    @property
    def time(self) -> KeyTime:
        """When it signs."""
        return KeyTime(self.version, self.create_time, self.begin_time)


class TokenKeys:
    """All versions of the key, and which of them signs now. Is the key source that verifies our own tokens.

    Attributes:
        period: how long each key signs, and how long before that it is published.
        purpose: what it signs, and nothing else.
    """

    def __init__(self, store: KeyStore, clock: Clock, period: timedelta, purpose: str = TOKENS) -> None:
        self._store = store
        self._clock = clock
        self.period = period
        self.purpose = purpose
        self._by_version: dict[int, SigningKey] = {}
        self._by_kid: dict[str, SigningKey] = {}
        self._plan: KeyPlan | None = None
        self._loaded = 0.0

    def open(self) -> None:
        """Makes the first key unless there is one, and loads all; reads files."""
        if not self._store.versions(self.purpose):
            self._store.ensure(self.purpose, Algorithm.ES256)
        self.load()

    def load(self) -> None:
        """Takes up versions that were added by another replica, and drops those that were destroyed; reads files.

        One that can't be opened is passed over, and told: tokens are signed with the others.

        Raises:
            DecryptionFailed: if none can be opened.
        """
        found = {version: self._opened(version) for version in self._store.versions(self.purpose)}
        known = {version: key for version, key in found.items() if key is not None}
        if not known:
            raise DecryptionFailed(f"no version of the {self.purpose} key can be opened")
        self._by_version = known
        self._by_kid = {key.kid: key for key in known.values()}
        self._plan = None
        self._loaded = time.monotonic()

    def _opened(self, version: int) -> SigningKey | None:
        try:
            known = self._by_version.get(version) or self._read(version)
            return known if known.begin_time else replace(known, begin_time=self._store.begun(self.purpose, version))
        except Exception as error:  # noqa: BLE001 - whatever one file holds, the others sign
            _log.error("signing key passed over", purpose=self.purpose, version=version, **place_of(error))
            return None

    def _read(self, version: int) -> SigningKey:
        stored = self._store.load(self.purpose, version)
        key = ECKey.import_key(stored.secret)
        kid = key.thumbprint()
        public = ECKey.import_key(stored.secret, {"kid": kid, "alg": "ES256", "use": "sig"})
        return SigningKey(version, kid, public, datetime.fromisoformat(stored.create_time))

    def _now(self) -> KeyPlan:
        now = self._clock.now()
        known = self._plan
        if known is None or (known.change_time is not None and known.change_time <= now):
            known = self._plan = plan([key.time for key in self._by_version.values()], now, self.period)
        return known

    @property
    def current(self) -> SigningKey:
        """The key that signs now."""
        return self._by_version[self._now().current]

    def public(self, *, begun: str = "", gone: Collection[str] = ()) -> list[dict[str, Any]]:
        """Returns the JWK set's keys: the one in use, the next, and those whose tokens may still live.

        Args:
            begun: a key that is taken to sign from now on.
            gone: keys that are taken to be destroyed.
        """
        wanted = self._planned(begun, gone) if begun or gone else self._now()
        order = (wanted.current, *wanted.upcoming, *wanted.retired)
        return [dict(self._by_version[version].key.as_dict(private=False)) for version in order]

    def _planned(self, begun: str, gone: Collection[str]) -> KeyPlan:
        now = self._clock.now()
        left = [key for key in self._by_version.values() if key.kid not in gone]
        times = [replace(key.time, begin_time=now) if key.kid == begun else key.time for key in left]
        return plan(times, now, self.period)

    def has(self, kid: str) -> bool:
        """Whether a key is there."""
        return kid in self._by_kid

    def signing(self, gone: Collection[str]) -> str:
        """Returns the id of the key that signs where ``gone`` never sign again; at least one other is there."""
        return self._by_version[self._planned("", gone).current].kid

    def following(self, gone: Collection[str]) -> str:
        """Returns the id of the key that signs next where ``gone`` never sign again; makes it where there is none; writes files."""
        if set(self._by_kid) <= set(gone) or not self._planned("", gone).upcoming:
            self._store.generate(self.purpose, Algorithm.ES256)
            self.load()
        wanted = self._planned("", gone)
        return self._by_version[(*wanted.upcoming, wanted.current)[0]].kid

    def begin(self, kid: str) -> None:
        """Has a key sign from now on; nothing where it is gone or does already; writes files."""
        if (key := self._by_kid.get(kid)) is not None and key.begin_time is None:
            self._store.begin(self.purpose, key.version)
            self.load()

    def destroy(self, kid: str) -> None:
        """Destroys a key, unless it is gone or no other is there; writes files."""
        key = self._by_kid.get(kid)
        if key is None or len(self._by_kid) == 1:
            return
        with suppress(KeyNotFound):  # another replica was faster
            self._store.destroy(self.purpose, key.version)
        _log.warning("signing key destroyed", purpose=self.purpose, version=key.version)
        self.load()

    async def fresh(self) -> list[dict[str, Any]]:
        """Returns what :meth:`public` does, with what another replica made a moment ago."""
        await attempt(f"{self.purpose} keys", partial(asyncio.to_thread, self.load))
        return self.public()

    async def key(self, kid: str) -> ECKey | None:
        """Returns the key named ``kid`` (``libs.security.jwks.KeySource``), after another look where the last is old."""
        # One that is not known may have been made by another replica a moment ago.
        if kid not in self._by_kid or time.monotonic() - self._loaded > _KNOWN_FOR:
            await attempt("token keys", partial(asyncio.to_thread, self.load))
        found = self._by_kid.get(kid)
        return found.key if found else None

    def rotate(self) -> None:
        """Makes the next key where there is none; writes files.

        Destroys none: a clock that is wrong once would take the active key with it, and what partners pinned. What nothing
        needs any more is not published, and who is in charge of security may have it destroyed (RevokeSigningKey).
        """
        self.load()
        wanted = self._now()
        if not wanted.upcoming:
            made = self._store.generate(self.purpose, Algorithm.ES256)
            _log.info("next signing key made", purpose=self.purpose, version=made.ref.version)
        self.load()
