"""A wire to PostgreSQL or Redis that can be cut, fall silent, or swallow an answer, just where a test wants it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.support.backends import HOST

_TURNS = 10


@dataclass(eq=False)
class Pipe:
    """One connection over the wire.

    Attributes:
        silent: nothing passes any more, in either direction, and nobody is told; what comes is kept.
        deaf: what the server answers is kept and not passed on.
    """

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    silent: bool = False
    deaf: bool = False
    kept: bytes = b""

    async def carry(self, reader: asyncio.StreamReader, watch: Callable[["Pipe", bytes], None]) -> None:
        """Carries what the client says until it goes; then the server hears that, if it still hears."""
        while data := await reader.read(65536):
            watch(self, data)
            if self.silent:
                self.kept += data
                continue
            self.server.write(data)
        if not self.silent:
            self.server.close()

    async def answer(self, reader: asyncio.StreamReader) -> None:
        """Carries what the server says."""
        while data := await reader.read(65536):
            if not (self.silent or self.deaf):
                self.client.write(data)
        self.client.close()

    def deliver(self) -> None:
        """Hands the server what was kept, as a network or a frozen server does that comes back late."""
        self.server.write(self.kept)
        self.kept = b""


@dataclass
class Wire:
    """The wire.

    Attributes:
        port: where it begins.
        pipes: its connections, the newest last.
        hold: new connections are silent too, as with a server that is frozen.
        watch: called with every piece that a client sends, before it is passed on.
    """

    port: int = 0
    pipes: list[Pipe] = field(default_factory=list)
    hold: bool = False
    watch: Callable[[Pipe, bytes], None] = lambda _pipe, _data: None

    def seen(self, pipe: Pipe, data: bytes) -> None:
        """Tells who watches now."""
        self.watch(pipe, data)

    def fall_silent(self) -> None:
        """Lets the connections of now, and none later, carry nothing any more."""
        for pipe in self.pipes:
            pipe.silent = True

    def cut(self) -> None:
        """Closes the connections of now."""
        for pipe in self.pipes:
            pipe.client.transport.abort()
            pipe.server.transport.abort()

    def dsn(self, dsn: str) -> str:
        """The DSN by which a database is reached over the wire."""
        return sa.make_url(dsn).set(host=HOST, port=self.port).render_as_string(hide_password=False)


@contextlib.asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[Wire]:
    """Lays a wire to the server of ``dsn``."""
    url, wire, carrying = sa.make_url(dsn), Wire(), set[asyncio.Task[None]]()
    accepting, clients = set[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        accepting.add(task)
        clients.append(writer)
        try:
            server_reader, server = await asyncio.open_connection(url.host, url.port or 5432)
        except OSError:
            writer.transport.abort()  # as a wire does whose other end takes nobody
            return
        pipe = Pipe(writer, server, silent=wire.hold)
        wire.pipes.append(pipe)
        both = (pipe.carry(reader, wire.seen), pipe.answer(server_reader))
        carrying.update(asyncio.ensure_future(_until_closed(each)) for each in both)

    server = await asyncio.start_server(connected, HOST, 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        await _accept_no_more(server)
        if accepting:
            await asyncio.wait(accepting)
        wire.cut()
        for client in clients:
            client.transport.abort()
        await asyncio.wait(carrying | {asyncio.ensure_future(asyncio.sleep(0))})
        for _ in range(_TURNS):
            await asyncio.sleep(0)  # what was cut is closed in a turn of its own


async def _accept_no_more(server: asyncio.Server) -> None:
    # A server that is closed between accepting a connection and making its transport loses it, unclosed.
    for listener in server.sockets:
        asyncio.get_running_loop().remove_reader(listener.fileno())
    for _ in range(_TURNS):
        await asyncio.sleep(0)  # what was accepted in the last moment is told to us by then
    server.close()


async def _until_closed(carrying: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(OSError):
        await carrying
