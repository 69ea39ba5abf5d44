"""How soon what was taken back is refused: calls without a pause, judged by when each was sent, and not by how fast a machine answers."""

import asyncio
import time
from typing import Any

import httpx

from tests.support.patience import PATIENCE

WITHIN = 2.0
"""Seconds from the answer on by which something was taken back: what the contracts promise of mandates and clients."""
_AFTERWARDS = 12
"""How many calls to each path are looked at from then on: they are spread over both replicas."""


class Polled:
    """What a token is answered at some paths, each of which is another service's: ``{path: body}``, or None to read it by GET."""

    def __init__(self, http: httpx.AsyncClient, token: str, paths: dict[str, Any]) -> None:
        self._http, self._paths, self._headers = http, paths, {"authorization": f"Bearer {token}"}
        self._answers: list[tuple[float, str, str]] = []

    async def _ask(self, path: str) -> str:
        """Asks once; returns the status, or the reason of a refusal for the token's sake."""
        sent, body = time.monotonic(), self._paths[path]
        method = "GET" if body is None else "POST"
        answer = await self._http.request(method, path, json=body, headers=self._headers)
        said = answer.json()["details"][0]["reason"] if answer.status_code == 401 else str(answer.status_code)
        self._answers.append((sent, path, said))
        return said

    async def served(self) -> bool:
        """Whether each path serves it, at either replica, so that both have read the token and keep what they read."""
        return {await self._ask(path) for path in self._paths for _ in range(4)} == {"200"}

    async def refused_in_time(self) -> dict[str, set[str]]:
        """What each path answers to whatever is sent from ``WITHIN`` after now on; called as soon as it is taken back."""
        ended = time.monotonic()

        async def until_refused(path: str) -> None:
            left = _AFTERWARDS
            while left:
                sent = time.monotonic()
                await self._ask(path)
                left -= sent > ended + WITHIN

        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(until_refused(path) for path in self._paths))
        late = [(path, said) for sent, path, said in self._answers if sent > ended + WITHIN]
        return {path: {said for at, said in late if at == path} for path in self._paths}
