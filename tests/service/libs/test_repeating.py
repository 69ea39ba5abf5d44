"""Calls from service to service, across a restart of the neighbour and to one that hangs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message

from libs.errors import TongbanError, Unavailable
from libs.rpc.client import invoke, neighbour_channel
from libs.rpc.server import server_credentials
from libs.rpc.status import DETAILS_KEY, to_status
from libs.rpc.waiting import NeighbourChannel, WaitingCalls
from tests.support.backends import HOST, free_port
from tests.support.process import until
from tests.support.service import Ground
from tests.support.wire import wire_to
from tongban.identity.v1 import account_service_pb2 as accounts
from tongban.identity.v1 import resources_pb2 as identity
from tongban.seal.v1 import sealing_service_pb2 as sealing
from tongban.sharing.v1 import data_service_pb2 as data

_READ = accounts.GetOrganizationRequest(name="organizations/1")
_KEYED = sealing.SealDocumentRequest(request_id="1")
_ONCE = data.QueryRequest()
"""It counts against a quota each time: nothing repeats it."""
_WORKERS = 8
Handler = Callable[[Any, Any], Awaitable[bytes]]


async def _answers(_request: Any, _context: Any) -> bytes:
    return b""


@dataclass
class Neighbour:
    """A service at a fixed address, that may be stopped, and begun again.

    Attributes:
        handler: what it answers every call with.
        calls: how many came to it.
    """

    ground: Ground
    port: int = field(default_factory=free_port)
    handler: Handler = _answers
    calls: int = 0
    server: grpc.aio.Server | None = None

    def service(self, details: Any) -> "grpc.RpcMethodHandler[Any, Any]":
        """Serves whatever is called."""
        return grpc.unary_unary_rpc_method_handler(self._serve)

    async def _serve(self, request: Any, context: Any) -> bytes:
        self.calls += 1
        return await self.handler(request, context)

    async def start(self) -> None:
        """Serves from now on."""
        self.server = grpc.aio.server()
        self.server.add_generic_rpc_handlers((self,))  # type: ignore[arg-type]
        self.server.add_secure_port(f"{HOST}:{self.port}", server_credentials(self.ground.tls("license")))
        await self.server.start()

    async def stop(self, grace: float | None = None) -> None:
        """Refuses whatever comes; what runs is cut off after ``grace``."""
        if self.server is not None:
            await self.server.stop(grace)
        self.server = None

    @asynccontextmanager
    async def channel(self, port: int = 0) -> AsyncIterator[NeighbourChannel]:
        """The channel of another service to it."""
        channel = neighbour_channel(f"{HOST}:{port or self.port}", self.ground.tls("cases"))
        try:
            yield channel
        finally:
            await channel.close()


@pytest_asyncio.fixture
async def neighbour(ground: Ground) -> AsyncIterator[Neighbour]:
    made = Neighbour(ground)
    await made.start()
    yield made
    await made.stop()


async def _waits(channel: NeighbourChannel) -> bool:
    return channel.waiting.count > 0


async def _call(channel: grpc.aio.Channel, request: Message, timeout: float = 30.0) -> identity.Organization:
    method = channel.unary_unary("/any/Call", type(request).SerializeToString, lambda _answer: identity.Organization())
    return await invoke(method, request, identity.Organization, to="license", token="", timeout=timeout)


@pytest.mark.parametrize("request_", [_READ, _KEYED], ids=["read", "keyed"])
@pytest.mark.parametrize("grace", [1.0, None], ids=["in-order", "cut-off"])
async def test_a_restart_loses_no_call_that_may_be_repeated(
    neighbour: Neighbour, request_: Message, grace: float | None
) -> None:
    done, over = [0] * _WORKERS, asyncio.Event()

    async def work(number: int) -> None:
        while not over.is_set():
            await _call(channel, request_)
            done[number] += 1

    async def further(than: list[int]) -> bool:
        return all(now > before for now, before in zip(done, than, strict=True))

    async with neighbour.channel() as channel:
        workers = [asyncio.ensure_future(work(number)) for number in range(_WORKERS)]
        for _ in range(2):
            before = list(done)
            await until(lambda before=before: further(before))  # type: ignore[misc]
            await neighbour.stop(grace)
            await until(lambda: _waits(channel))
            await neighbour.start()
            before = list(done)
            await until(lambda before=before: further(before))  # type: ignore[misc]
        over.set()
        await asyncio.gather(*workers)


async def test_what_was_begun_and_may_not_be_repeated_is_not(neighbour: Neighbour) -> None:
    begun = asyncio.Event()

    async def hangs(_request: Any, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    neighbour.handler = hangs
    async with neighbour.channel() as channel:
        call = asyncio.ensure_future(_call(channel, _ONCE))
        await begun.wait()
        neighbour.handler = _answers
        await neighbour.stop()
        await neighbour.start()
        with pytest.raises(Unavailable) as error:
            await call
    assert (error.value.reason, neighbour.calls) == ("DEPENDENCY_UNAVAILABLE", 1)


async def test_what_was_never_sent_is_sent_when_there_is_somebody(neighbour: Neighbour) -> None:
    await neighbour.stop()
    async with neighbour.channel() as channel:
        call = asyncio.ensure_future(_call(channel, _ONCE))
        await until(lambda: _waits(channel))
        await neighbour.start()
        await call
    assert neighbour.calls == 1


async def test_an_answer_is_an_answer(neighbour: Neighbour) -> None:
    refusal = Unavailable("DEPENDENCY_UNAVAILABLE", "the database is away", retry_after=1.0, dependency="database")

    async def refuses(_request: Any, context: Any) -> bytes:
        details = to_status(refusal).SerializeToString()
        await context.abort(grpc.StatusCode.UNAVAILABLE, refusal.message, ((DETAILS_KEY, details),))
        return b""

    neighbour.handler = refuses
    async with neighbour.channel() as channel:
        with pytest.raises(Unavailable) as error:
            await _call(channel, _READ)
    assert (error.value.metadata["dependency"], neighbour.calls) == ("database", 1)


async def test_only_so_many_wait_for_one_neighbour(neighbour: Neighbour) -> None:
    await neighbour.stop()
    async with neighbour.channel() as channel:
        channel.waiting = WaitingCalls(most=1)
        first = asyncio.ensure_future(_call(channel, _READ))
        await until(lambda: _waits(channel))
        with pytest.raises(Unavailable):
            await _call(channel, _READ)
        assert await _waits(channel)
        await neighbour.start()
        await first
        assert not await _waits(channel)


async def test_what_waits_in_one_process_takes_no_place_in_another(neighbour: Neighbour) -> None:
    """Two channels are two processes' worth: a test, or a program with two regions in it, has both in one interpreter."""
    await neighbour.stop()
    async with neighbour.channel() as full, neighbour.channel() as other:
        full.waiting.count = 1_000_000
        with pytest.raises(Unavailable):
            await _call(full, _READ)
        call = asyncio.ensure_future(_call(other, _READ))
        await until(lambda: _waits(other))
        assert other.waiting.count == 1
        await neighbour.start()
        await call
    assert neighbour.calls == 1


async def test_one_that_computes_is_not_taken_for_one_that_hangs(neighbour: Neighbour) -> None:
    """Its event loop stands still for longer than a ping may take: gRPC's own threads answer."""

    async def computes(_request: Any, _context: Any) -> bytes:
        time.sleep(7.0)  # noqa: ASYNC251 - it is what this is about
        return b""

    neighbour.handler = computes
    async with neighbour.channel() as channel:
        await _call(channel, _ONCE)
    assert neighbour.calls == 1


@pytest.mark.timeout(40)
async def test_a_neighbour_that_hangs_is_told_long_before_the_call_would_end(neighbour: Neighbour) -> None:
    """It takes eight seconds; the test's own limit is a ninth of what the call may take."""
    begun = asyncio.Event()

    async def hangs(_request: Any, _context: Any) -> bytes:
        begun.set()
        await asyncio.Event().wait()
        return b""

    neighbour.handler = hangs
    async with wire_to(f"tcp://{HOST}:{neighbour.port}") as wire, neighbour.channel(wire.port) as channel:
        call = asyncio.ensure_future(_call(channel, _KEYED, timeout=360.0))
        await begun.wait()
        wire.hold = True
        wire.fall_silent()
        with pytest.raises(TongbanError) as error:
            await call
    assert error.value.reason == "DEPENDENCY_UNAVAILABLE"
    assert error.value.retry_after is not None
