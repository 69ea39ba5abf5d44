"""Runs the HTTP endpoints in the service's own process and loop, on loopback; the gateway stands before them."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from libs.config import HttpConfig
from libs.observability.net import App

_GRACE_SECONDS = 3


class _Server(uvicorn.Server):
    """Leaves signals to the process, which stops gRPC and HTTP together."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures nothing."""
        yield


class HttpServer:
    """An HTTP server that runs until its task is cancelled."""

    def __init__(self, app: App, config: HttpConfig) -> None:
        self._address = (config.host, config.port)
        self._server = _Server(
            uvicorn.Config(
                app,
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
