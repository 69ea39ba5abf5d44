"""Clients that are told of logouts: a server of theirs that keeps what it is sent, and answers as it is told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.support.backends import HOST
from tests.support.patience import PATIENCE


@dataclass
class LogoutReceiver:
    """What was sent, and what is answered."""

    port: int = 0
    status: int = 200
    location: str = ""
    silent: bool = False
    tokens: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def uri(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}/logout?of=tongban"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0])
            form = parse_qs((await reader.readexactly(length)).decode())
            self.heads.append(head)
            self.tokens += form["logout_token"]
            if self.silent:
                await self.released.wait()
                return
            location = f"location: {self.location}\r\n" if self.location else ""
            writer.write(
                f"HTTP/1.1 {self.status} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def told(self, times: int) -> list[str]:
        """Waits until it was sent so many."""
        end = time.monotonic() + PATIENCE
        while len(self.tokens) < times:
            assert time.monotonic() < end, f"told {len(self.tokens)} times"
            await asyncio.sleep(0.02)
        return self.tokens


@asynccontextmanager
async def receiving(**answer: Any) -> AsyncIterator[LogoutReceiver]:
    """Runs one for the length of the block."""
    receiver = LogoutReceiver(**answer)
    server = await asyncio.start_server(receiver.serve, HOST, 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.close()
        await server.wait_closed()
