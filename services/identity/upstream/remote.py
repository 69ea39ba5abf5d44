"""Identity providers over HTTP: their discovery documents and keys, which are kept for a while, and their token endpoints.

Only what was looked at is called (services/identity/core/outbound.py), no redirect is followed, and no more is read than such things hold.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

from joserfc import jwt

from libs import outside
from libs.errors import InvalidArgument
from services.identity.config import Upstreams
from services.identity.core.codec import TokenCodec
from services.identity.core.outbound import FAILURES, TargetRefused, limits, pinned_pool
from services.identity.core.reached import check_called, ranges
from services.identity.upstream.id_tokens import Expected, Identified, KeyUnknown, TokenRefused, identified
from services.identity.upstream.rules import Upstream

KEPT_SECONDS = 600.0
"""For so long a discovery document and keys are taken without another look."""
AGAIN_SECONDS = 10.0
"""So long after a look at the keys one is not taken again, whatever key a token names."""
_MOST_READ = 262_144
_MOST_KEYS = 50
_MOST_AT_A_TIME = 16
"""Calls of one host; one more is not made, so that a provider that hangs takes neither the connections of the others nor anybody's time."""
_ASSERTION_SECONDS = 60
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FORM = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
Found = TypeVar("Found")
_OK = 200
_REFUSALS = (400, 401)
"""What a token endpoint answers to a code or a client that it does not take (RFC 6749, 5.2); everything else is no answer."""


class UpstreamAway(Exception):
    """It does not answer, or not as its standard has it; ``why`` in one word, for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a discovery document says (OpenID Connect Discovery 1.0, 3); ``names_itself``: it puts `iss` into its answers (RFC 9207)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    names_itself: bool


@dataclass(frozen=True, slots=True)
class BroughtCode:
    """A code that a browser brought, and what it is exchanged with."""

    code: str
    redirect_uri: str
    verifier: str
    nonce: str


@dataclass(slots=True)
class _Kept:
    metadata: ProviderMetadata
    until: float
    keys: Sequence[Mapping[str, Any]] = ()
    keys_time: float = float("-inf")


class _CallsUnderWay:
    """Calls under way: whoever wants the same waits for the same one, and who goes away meanwhile takes it from nobody."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}

    async def of(self, key: str, call: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
        """Returns what the call under way for ``key`` finds, or begins it."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(call())
            task.add_done_callback(lambda done: self._over(key, done))
        found: Found = await asyncio.shield(task)
        return found

    def _over(self, key: str, done: asyncio.Task[Any]) -> None:
        del self._tasks[key]
        if not done.cancelled():
            done.exception()  # everybody may have gone away who would look at it

    async def close(self) -> None:
        """Gives up what is under way."""
        waiting = list(self._tasks.values())
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class Providers:
    """Asks identity providers."""

    def __init__(self, config: Upstreams, codec: TokenCodec) -> None:
        self._codec = codec
        self._seconds = config.seconds
        self._allow_http = config.allow_http
        self._allowed = ranges(config.private_ranges)
        self._pool = pinned_pool(config.ca_file, config.private_ranges)
        self._kept: dict[str, _Kept] = {}
        self._under_way = _CallsUnderWay()
        self._calls: Counter[str] = Counter()

    async def metadata(self, upstream: Upstream) -> ProviderMetadata:
        """Returns what its discovery document says; raises UpstreamAway."""
        return (await self._known(upstream.issuer)).metadata

    async def identified(self, upstream: Upstream, brought: BroughtCode) -> Identified:
        """Exchanges a code, and returns who signed in there; raises UpstreamAway, TokenRefused."""
        known = await self._known(upstream.issuer)
        form = {
            "grant_type": "authorization_code",
            "code": brought.code,
            "redirect_uri": brought.redirect_uri,
            "code_verifier": brought.verifier,
            "client_id": upstream.client_id,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(upstream),
        }
        answer = await self._read("POST", known.metadata.token_endpoint, urlencode(form).encode())
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise TokenRefused("id_token")
        expected, now = Expected(upstream.issuer, upstream.client_id, brought.nonce), self._codec.now()
        await self._look_at_keys(known, KEPT_SECONDS)
        try:
            return identified(token, known.keys, expected, now)
        except KeyUnknown:
            # It may have changed its keys since.
            await self._look_at_keys(known, AGAIN_SECONDS)
            return identified(token, known.keys, expected, now)

    def _assertion(self, upstream: Upstream) -> str:
        """Says who we are (RFC 7523, 2.2); its audience is the issuer and nothing else, so that it is good nowhere else."""
        current, now = self._codec.keys.current, int(self._codec.now().timestamp())
        us = upstream.client_id
        claims = {"iss": us, "sub": us, "aud": upstream.issuer, "jti": str(uuid.uuid4()), "iat": now}
        header = {"alg": "ES256", "typ": "JWT", "kid": current.kid}
        return jwt.encode(header, {**claims, "exp": now + _ASSERTION_SECONDS}, current.key, algorithms=["ES256"])

    async def _known(self, issuer: str) -> _Kept:
        kept = self._kept.get(issuer)
        if kept is None or kept.until <= time.monotonic():
            kept = await self._under_way.of(issuer, lambda: self._discovered(issuer))
        return kept

    async def _discovered(self, issuer: str) -> _Kept:
        found = await self._read("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise UpstreamAway("issuer")
        kept = self._kept[issuer] = _Kept(self._metadata(found), time.monotonic() + KEPT_SECONDS)
        return kept

    def _metadata(self, found: Mapping[str, Any]) -> ProviderMetadata:
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        try:
            for each in names:
                check_called(
                    str(found.get(each, "")), each, "upstream", allow_http=self._allow_http, allowed=self._allowed
                )
        except InvalidArgument as error:
            raise UpstreamAway("endpoint") from error
        says = found.get("authorization_response_iss_parameter_supported") is True
        there, token, keys = (str(found[each]) for each in names)
        return ProviderMetadata(there, token, keys, names_itself=says)

    async def _look_at_keys(self, known: _Kept, seconds: float) -> None:
        if time.monotonic() - known.keys_time >= seconds:
            there = known.metadata.jwks_uri
            known.keys = await self._under_way.of(f"keys {there}", lambda: self._published(there))
            known.keys_time = time.monotonic()

    async def _published(self, there: str) -> Sequence[Mapping[str, Any]]:
        found = (await self._read("GET", there)).get("keys")
        if not isinstance(found, list) or len(found) > _MOST_KEYS:
            raise UpstreamAway("keys")
        return [each for each in found if isinstance(each, dict)]

    async def _read(self, verb: str, url: str, body: bytes = b"") -> Mapping[str, Any]:
        """Returns the JSON object of an answer.

        Raises:
            UpstreamAway.
            TokenRefused: it refuses what it was asked.
        """
        host = urlsplit(url).netloc
        if self._calls[host] >= _MOST_AT_A_TIME:
            raise UpstreamAway("busy")
        self._calls[host] += 1
        try:
            async with asyncio.timeout(self._seconds):
                status, content = await self._answered(verb, url, body)
        except TargetRefused as refusal:
            raise UpstreamAway("address") from refusal
        except FAILURES as error:
            raise UpstreamAway(type(error).__name__) from error
        finally:
            self._calls[host] -= 1
        if body and status in _REFUSALS:
            raise TokenRefused("refused")
        if status != _OK:
            raise UpstreamAway(f"HTTP {status}")
        try:
            return outside.json_object(content, _MOST_READ)
        except outside.UnacceptableText as error:
            raise UpstreamAway("json") from error

    async def _answered(self, verb: str, url: str, body: bytes) -> tuple[int, bytes]:
        headers, content = _FORM if body else _FORM[1:], b""
        extensions = limits(self._seconds)
        async with self._pool.stream(verb, url, headers=headers, content=body or None, extensions=extensions) as answer:
            async for part in answer.aiter_stream():
                content += part
                if len(content) > _MOST_READ:
                    raise ValueError("too long")
            return int(answer.status), content

    async def close(self) -> None:
        """Closes the connections."""
        await self._under_way.close()
        await self._pool.aclose()
