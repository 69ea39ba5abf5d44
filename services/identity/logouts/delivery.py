"""How a client is told: by one POST, at an address that was looked at, wherever its name points to and its answer sends us."""

import asyncio
import ssl
from socket import SOCK_STREAM

import httpx

from services.identity.config import Logouts
from services.identity.logouts.rules import may_be_called

_TOLD = range(200, 300)


class NotDelivered(Exception):
    """The client was not told: ``why`` in one word, for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Delivery:
    """Sends logout tokens (OpenID Connect Back-Channel Logout 1.0, 2.5)."""

    def __init__(self, config: Logouts) -> None:
        self._config = config
        trusted = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
        self._client = httpx.AsyncClient(
            verify=trusted, timeout=config.seconds, trust_env=False, follow_redirects=False
        )

    async def tell(self, uri: str, token: str) -> None:
        """Sends a logout token; raises NotDelivered where the client did not take it in time."""
        try:
            async with asyncio.timeout(self._config.seconds):
                status = await self._sent(httpx.URL(uri), token)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            raise NotDelivered(type(error).__name__) from error
        if status not in _TOLD:
            raise NotDelivered(f"HTTP {status}")

    async def _sent(self, url: httpx.URL, token: str) -> int:
        # The very address that was looked at is called: a name could point elsewhere a moment later.
        address = await self._address(url)
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            data={"logout_token": token},
            headers={"host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": url.host},
        )
        answer = await self._client.send(request, stream=True)
        await answer.aclose()  # what it says beside the status is not read
        return answer.status_code

    async def _address(self, url: httpx.URL) -> str:
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        allowed = [each for each in addresses if may_be_called(each, self._config.private_ranges)]
        if not allowed:
            raise NotDelivered("address")
        return allowed[0]

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()
