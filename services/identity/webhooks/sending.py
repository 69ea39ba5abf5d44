"""Hands deliveries to their receivers, by HTTPS, and to no address that a receiver has no business with.

A name is looked up once for each connection, its addresses are looked at, and the connection goes to one of those: a name that
says something else a moment later reaches nothing. There is no proxy and no redirect.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import httpcore

from services.identity.config import Webhooks
from services.identity.webhooks.rules import IpRange, SendAnswer, WebhookFailure, is_reached, retry_after

_CONNECTIONS = 64
_KEPT_SECONDS = 15.0
_READ_SECONDS = 1.0
_MOST_READ = 65_536
"""So much of an answer is read; nobody looks at it."""


class TargetRefused(Exception):
    """A name that resolves to nothing that is reached from here."""


def ranges_of(config: Webhooks) -> tuple[IpRange, ...]:
    """Returns the ranges that the region allows beside the public internet."""
    return tuple(ipaddress.ip_network(str(each)) for each in config.private_ranges)


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


class WebhookSender:
    """Sends deliveries."""

    def __init__(self, config: Webhooks) -> None:
        self._seconds = config.seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None),
            max_connections=_CONNECTIONS,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=PinnedNetwork(ranges_of(config)),
        )

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> SendAnswer:
        """Sends a delivery, and says how it was answered; it raises nothing that a receiver could bring about."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds):
                status, wait = await self._post(url, headers, body)
        except TargetRefused:
            found = (0, WebhookFailure.ADDRESS, "")
        except (TimeoutError, httpcore.TimeoutException):
            found = (0, WebhookFailure.TIMEOUT, "")
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
            ValueError,
        ) as error:
            found = (0, _kind(error), "")
        else:
            taken = SendAnswer(status).taken
            found = (status, WebhookFailure.NONE if taken else WebhookFailure.STATUS, wait)
        took = round((time.monotonic() - begun) * 1000)
        return SendAnswer(found[0], found[1], retry_after(found[2]), took)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        sent = [
            ("content-type", "application/cloudevents+json"),
            ("user-agent", "tongban-webhooks/1"),
            *headers.items(),
        ]
        # The pool keeps time besides, so that a connection that hangs is not lent again.
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)
        async with self._pool.stream("POST", url, headers=sent, content=body, extensions={"timeout": limits}) as answer:
            wait = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
            await _read(answer)
            return answer.status, wait.decode("latin-1").strip()

    async def close(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()


async def _read(answer: httpcore.Response) -> None:
    """Reads what there is of an answer, so that the connection can be used again; the status has said already what it says."""
    with contextlib.suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(_READ_SECONDS):
            read = 0
            async for part in answer.aiter_stream():
                read += len(part)
                if read > _MOST_READ:
                    break


def _kind(error: BaseException | None) -> WebhookFailure:
    """Whether a failure is that of the receiver's certificate, or of the way to it."""
    while error is not None:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return WebhookFailure.CERTIFICATE
        error = error.__cause__ or error.__context__
    return WebhookFailure.UNREACHABLE
