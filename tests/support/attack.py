"""Brings nonsense to a running region's doors and collects what its answers should not have been."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from libs.clock import SystemClock
from libs.crypto.keystore import KeyStore, load_master_key
from libs.crypto.tongsuo import TongsuoProvider
from libs.rpc import status
from tests.support.answers_at_fault import faults
from tests.support.fuzz import Ask, GrpcAsk, Nonsense
from tests.support.kinds import CLAIMED, KINDS, claims_of

_AT_ONCE = 16
_SECONDS = 60.0
_AWAY = {"DEPENDENCY_UNAVAILABLE", "AUDIT_UNAVAILABLE"}
_FAULTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.DATA_LOSS,
}


def tokens_of(state: Path, region: str, issuer: str, number: int = 1) -> dict[str, str]:
    """Mints tokens of every kind of caller that may everything, under the region's own key, for an hour.

    ``number`` tells one person from another.
    """
    master = load_master_key(state / region / "secrets" / "identity.master-key")
    store = KeyStore(state / region / "keys" / "identity", master, TongsuoProvider(), SystemClock())
    key = ECKey.import_key(store.load("token", min(store.versions("token"))).secret)
    now = int(time.time())
    claims = {"iss": issuer, "aud": f"//{region}", "iat": now, "exp": now + 3600, "scope": "*", "acr": "4"}
    someone = f"01900000-0000-7000-8000-{number:012}"
    header = {"alg": "ES256", "typ": "at+jwt", "kid": key.thumbprint()}
    held = {"client_id": f"clients/{someone}"}
    return {
        kind: jwt.encode(
            header,
            claims
            | held
            | claims_of(kind, "110000", someone)
            | {"actor_kind": CLAIMED[kind], "jti": str(uuid.uuid4())},
            key,
            algorithms=["ES256"],
        )
        for kind in KINDS
    }


class Attack:
    """One run against one region."""

    def __init__(self, url: str, tokens: dict[str, str], seed: int) -> None:
        self._nonsense = Nonsense(seed, tokens)
        self._http = httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False)
        self._grpc = grpc.aio.insecure_channel(url.partition("://")[2])
        self.found: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()

    async def run(self, count: int) -> Counter[str]:
        """Brings ``count`` requests, a quarter to each door; returns what was wrong, with how often."""
        asks = iter(range(count))
        async with self._http, self._grpc:
            await asyncio.gather(*(self._each(asks) for _ in range(_AT_ONCE)))
        return self.found

    async def sweep(self) -> Counter[str]:
        """Makes every text of every request a name of nothing, in turn; returns what was wrong, with how often."""
        asks = self._nonsense.references()
        async with self._http, self._grpc:
            await asyncio.gather(*(self._calls(asks) for _ in range(_AT_ONCE)))
        return self.found

    async def _calls(self, asks: Iterator[GrpcAsk]) -> None:
        for ask in asks:
            await self._call(ask)

    async def _each(self, asks: Any) -> None:
        for place in asks:
            door = ("json", "grpc", "oauth", "page")[place % 4]
            ask = getattr(self._nonsense, door)()
            await (self._call(ask) if isinstance(ask, GrpcAsk) else self._ask(door, ask))

    async def _ask(self, door: str, ask: Ask) -> None:
        try:
            answer = await self._http.request(ask.verb, ask.path, headers=ask.raw_headers, content=ask.body)
        except (httpx.InvalidURL, httpx.LocalProtocolError):
            return  # nothing went out
        except httpx.HTTPError as error:
            self.found[f"{door} {ask.verb} {ask.path[:80]}: {type(error).__name__}"] += 1
            return
        self.answers[f"{door} {answer.status_code}"] += 1
        for fault in faults(answer.status_code, answer.headers.get("content-type", ""), answer.text):
            if answer.status_code != 200:
                self.found[f"{door} {ask.verb} {ask.path[:120]}: {fault}: {answer.text[:160]}"] += 1

    async def _call(self, ask: GrpcAsk) -> None:
        call: Any = self._grpc.unary_unary(ask.path)
        try:
            await call(ask.body, metadata=ask.metadata, timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            self.answers[f"grpc {error.code().name}"] += 1
            self._judge(ask, error)
        except (ValueError, TypeError):
            return  # nothing went out

    def _judge(self, ask: GrpcAsk, error: grpc.aio.AioRpcError) -> None:
        reason = status.from_rpc_error(error, "the gateway").reason
        typed = any(key == status.DETAILS_KEY for key, _ in error.trailing_metadata() or ())
        if (error.code() in _FAULTS and reason not in _AWAY) or not typed:
            self.found[f"grpc {ask.path}: {error.code().name} {reason} {error.details()!s:.120}"] += 1
        for fault in faults(400, "", error.details() or ""):
            self.found[f"grpc {ask.path}: {fault}"] += 1


def report(attack: Attack) -> str:
    """Returns what a run came to, for people."""
    return json.dumps(
        {"answers": dict(sorted(attack.answers.items())), "found": dict(attack.found.most_common())},
        ensure_ascii=False,
        indent=1,
    )
