"""Runs the HTTP endpoints in the service's own process and loop; the gateway stands before them.

One door is plain and on loopback. What anybody says there of a client's certificate is not believed: it is a credential. What came with one
the gateway brings to the other door, where the connection itself says that it is the gateway (decision 0082).
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from libs.config import HttpConfig, TlsConfig
from libs.observability.net import App
from libs.security import client_certificates

_GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves signals to the process, which stops gRPC and HTTP together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures nothing."""
        yield


@dataclass(frozen=True, slots=True)
class GatewayDoor:
    """How the gateway is known where it comes by mTLS: by our authority, and the DNS name in its certificate."""

    tls: TlsConfig
    name: str

    def settings(self) -> dict[str, Any]:
        """What uvicorn is told of it."""
        return {
            "ssl_certfile": str(self.tls.cert),
            "ssl_keyfile": str(self.tls.key),
            "ssl_ca_certs": str(self.tls.ca),
            "ssl_cert_reqs": ssl.CERT_REQUIRED,
            "http": self._protocol(),
        }

    def _protocol(self) -> type[H11Protocol]:
        name = self.name

        class OfGateway(H11Protocol):
            """Serves the gateway, and ends any other connection: also of services of the region, which have certificates as well."""

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                if name not in _names(transport):
                    transport.abort()

        return OfGateway


def _names(transport: asyncio.Transport) -> frozenset[str]:
    certificate = transport.get_extra_info("peercert") or {}
    return frozenset(value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS")


def unvouched(app: App) -> App:
    """Returns the application for who is not known to be the gateway: of certificates of clients it hears nothing."""
    header = client_certificates.HEADER.encode()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = scope | {"headers": [each for each in scope["headers"] if each[0].lower() != header]}
        await app(scope, receive, send)

    return served


class HttpServer:
    """An HTTP server that runs until its task is cancelled; by mTLS where there is a ``door``, else plain."""

    def __init__(self, app: App, config: HttpConfig, door: GatewayDoor | None = None) -> None:
        self._address = (config.host, config.port)
        self._server = _Server(
            uvicorn.Config(
                app if door else unvouched(app),
                **(door.settings() if door else {}),
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                proxy_headers=False,
            )
        )

    async def run(self) -> None:
        """Serves; a cancellation lets running requests end."""
        with socket.create_server(self._address, reuse_port=True, backlog=1024) as listener:
            serving = asyncio.ensure_future(self._server.serve(sockets=[listener]))
            try:
                await asyncio.shield(serving)
            finally:
                self._server.should_exit = True
                await serving
