"""Calls to places that clients name: by an address that was looked at, and to none that they have no business with.

A name is looked up once for each connection, its addresses are looked at, and the connection goes to one of those: a name that
says something else a moment later reaches nothing. There is no proxy and no redirect.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import httpcore

from services.identity.core.reached import IpRange, is_reached, ranges

_CONNECTIONS = 64
_KEPT_SECONDS = 15.0

FAILURES = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    OSError,  # TimeoutError and ssl.SSLError are such
    ValueError,
)
"""What a call can fail with, beside TargetRefused."""


class TargetRefused(Exception):
    """A name that resolves to something that is not reached from here."""


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at."""

    def __init__(self, allowed: Collection[IpRange]) -> None:
        self._allowed = allowed
        self._usual = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first address of ``host`` that answers.

        Raises:
            TargetRefused: one of its addresses is none that is reached.
        """
        failed: Exception = TargetRefused(host)
        for address in await self._addresses(host, port):
            try:
                return await self._usual.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = [str(each[4][0]).partition("%")[0] for each in found]
        if not all(is_reached(ipaddress.ip_address(each), self._allowed) for each in addresses):
            raise TargetRefused(host)
        return addresses

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._usual.sleep(seconds)


def pinned_pool(ca_file: Path | None, allowed: Iterable[object]) -> httpcore.AsyncConnectionPool:
    """Returns connections to places that clients name.

    Args:
        ca_file: the authority of their certificates, where the system's do not know it.
        allowed: ranges of addresses that are reached beside the public internet.
    """
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl.create_default_context(cafile=str(ca_file) if ca_file else None),
        max_connections=_CONNECTIONS,
        keepalive_expiry=_KEPT_SECONDS,
        network_backend=PinnedNetwork(ranges(allowed)),
    )


def limits(seconds: float) -> dict[str, Any]:
    """The extensions of a request that may take so long; the pool keeps time, so that a connection that hangs is not lent again."""
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)}
