"""What an edge that is about to end does first: it takes nothing new, and finishes what it has begun."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import httpx

_ASK_SECONDS, _LOOK_SECONDS = 2.0, 0.1
_FINISH_SECONDS = 10.0


class Drain(Protocol):
    """Has a process finish what it has begun."""

    async def finish(self) -> None:
        """Returns when it has, or when that takes too long, or can't be told."""


@dataclass(frozen=True, slots=True)
class EnvoyDrain:
    """Has Envoy close its ports and tell those who are connected to ask elsewhere (GOAWAY, RFC 9113 6.8; `Connection: close`).

    Attributes:
        admin: where its administration listens, `http://127.0.0.1:9901`.
        seconds: how long calls that had begun are waited for; streams that go on are cut then, and go on by their own rules.
    """

    admin: str
    seconds: float = _FINISH_SECONDS

    async def finish(self) -> None:
        """Returns when no call is under way, or after `seconds`, or where Envoy does not answer."""
        try:
            async with (
                asyncio.timeout(self.seconds),
                httpx.AsyncClient(base_url=self.admin, timeout=_ASK_SECONDS, trust_env=False) as client,
            ):
                (await client.post("/drain_listeners")).raise_for_status()
                (await client.post("/healthcheck/fail")).raise_for_status()
                while await _under_way(client):  # noqa: ASYNC110 - another process ends them
                    await asyncio.sleep(_LOOK_SECONDS)
        except (httpx.HTTPError, TimeoutError, ValueError, LookupError, TypeError):  # whatever it says, it is to end
            return


async def _under_way(client: httpx.AsyncClient) -> int:
    """How many calls have begun and not ended."""
    answer = await client.get("/stats", params={"filter": r"^http\.edge\.downstream_rq_active$", "format": "json"})
    return sum(int(each["value"]) for each in answer.raise_for_status().json()["stats"] if "value" in each)
