"""Any RPC by its descriptor, with raw bytes: for tests that walk over all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from deploy.local.settings import allowlist
from libs.errors import TongbanError
from libs.rpc.contract import Method
from libs.rpc.status import from_rpc_error
from services.gateway.contracts import read_image, services
from tests.support import contracts
from tests.support.kinds import CLAIMED, KINDS, PREFIX, claims_of
from tests.support.patience import PATIENCE
from tests.support.service import Service
from tongban.options.v1 import options_pb2

_AT_ONCE = 32
Item = TypeVar("Item")

OTHER_REGION = "320402"
READING_REGION = "370102"
"""Another one, from which only reads pass."""


def kinds_of(method: Method) -> list[str]:
    """The kinds of caller that the contract lets in."""
    actors = [options_pb2.ActorKind.Name(actor).removeprefix(PREFIX) for actor in method.access.actors]
    return actors or list(KINDS)


def said(error: TongbanError | None) -> str:
    """What a test tells of an answer that is not as it must be."""
    return str(error) if error else "let through"


@dataclass
class Caller:
    """Calls the RPCs of a running service, each over a channel that its allowlist lets in."""

    service: Service
    _channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._allow = allowlist(self.service.process.service, services(read_image()))

    def methods(self) -> list[Method]:
        """The RPCs that the service serves."""
        return [*contracts.methods_of_owner(self.service.process.service), *contracts.methods_of_shared()]

    def peers_of(self, method: Method) -> list[str]:
        """The processes that may reach the RPC."""
        return self._allow[method.service]

    def channel(self, peer: str) -> grpc.aio.Channel:
        """A channel that shows the certificate of ``peer``."""
        if peer not in self._channels:
            self._channels[peer] = self.service.channel_as(peer)
        return self._channels[peer]

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    def token(self, method: Method, kind: str, scope: str = "*", **claims: Any) -> str:
        """A token of a caller of this kind; one client per RPC, so that no rate limit is met."""
        told = claims_of(kind, claims.get("region", OTHER_REGION))
        claims = {"client_id": f"clients/{method.descriptor.name}", **told, **claims}
        return self.service.issuer.token(claims.pop("sub"), CLAIMED[kind], scope, **claims)

    async def error(
        self, method: Method, request: Message | bytes, token: str = "", peer: str = ""
    ) -> TongbanError | None:
        """Calls and returns the error, or None where the call succeeded."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        try:
            await self._send(self.channel(peer or self.peers_of(method)[0]), method, data, metadata)
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error, self.service.process.service)
        return None

    async def _send(self, channel: Any, method: Method, data: bytes, metadata: Any) -> None:
        if method.exchanges:
            async for _ in channel.stream_stream(method.path)(iter([data]), metadata=metadata, timeout=PATIENCE):
                pass
        elif method.descriptor.client_streaming:
            await channel.stream_unary(method.path)(iter([data]), metadata=metadata, timeout=PATIENCE)
        elif method.descriptor.server_streaming:
            async for _ in channel.unary_stream(method.path)(data, metadata=metadata, timeout=PATIENCE):
                pass
        else:
            await channel.unary_unary(method.path)(data, metadata=metadata, timeout=PATIENCE)


async def all_of(items: Iterable[Item], check: Callable[[Item], Awaitable[str]]) -> list[str]:
    """Runs ``check`` on every item, some at once, and returns what it complains of."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Item) -> str:
        async with gate:
            return await check(item)

    return [said for said in await asyncio.gather(*(one(item) for item in items)) if said]
