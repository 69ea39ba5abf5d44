"""Runs the HTTP endpoints in the service's own process and loop; the gateway stands before them.

One door is plain and on loopback. What anybody says there of a client's certificate is not believed: it is a credential. What came with one
the gateway brings to the other door, where the connection itself says that it is the gateway (decision 0082).
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from libs.config import HttpConfig
from libs.observability.net import App
from libs.security import client_certificates
from libs.security.gateway_door import GatewayDoor

_GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves signals to the process, which stops gRPC and HTTP together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures nothing."""
        yield


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
