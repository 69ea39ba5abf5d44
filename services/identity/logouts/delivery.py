"""How a client is told: by one POST, to a place that is called (services/identity/core/outbound.py)."""

import asyncio
from urllib.parse import urlencode

from services.identity.config import Logouts
from services.identity.core.outbound import FAILURES, TargetRefused, limits, pinned_pool

_TOLD = range(200, 300)
_FORM = (("content-type", "application/x-www-form-urlencoded"),)


class NotDelivered(Exception):
    """The client was not told: ``why`` in one word, for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class LogoutDelivery:
    """Sends logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.5)."""

    def __init__(self, config: Logouts) -> None:
        self._seconds = config.seconds
        self._pool = pinned_pool(config.ca_file, config.private_ranges)

    async def tell(self, uri: str, token: str) -> None:
        """Sends a logout token; raises NotDelivered where the client did not take it in time."""
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._sent(uri, urlencode({"logout_token": token}).encode())
        except TargetRefused as refusal:
            raise NotDelivered("address") from refusal
        except FAILURES as error:
            raise NotDelivered(type(error).__name__) from error
        if status not in _TOLD:
            raise NotDelivered(f"HTTP {status}")

    async def _sent(self, uri: str, body: bytes) -> int:
        extensions = limits(self._seconds)
        async with self._pool.stream("POST", uri, headers=_FORM, content=body, extensions=extensions) as answer:
            return int(answer.status)  # what it says beside the status is not read

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()
