"""A region that answers as the test says: gRPC on a loopback port, and a token endpoint that counts its grants."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import grpc
import httpx
from google.protobuf import message_factory

from libs.client import AsyncTongban, Credentials, RetryPolicy
from libs.errors import TongbanError
from libs.rpc import status
from libs.rpc.receipts import RECEIPT, RECEIPT_ABROAD
from tongban.cases.v1 import case_service_pb2
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import token_service_pb2
from tongban.license.v1 import material_service_pb2, verification_service_pb2
from tongban.operations.v1 import operation_service_pb2
from tongban.sharing.v1 import data_service_pb2

_FILES = (
    *(case_service_pb2, material_service_pb2, token_service_pb2, data_service_pb2),
    *(operation_service_pb2, verification_service_pb2),
)
Serve = Callable[[Any], Any]


@dataclass
class RegionStub:
    """What a test's region answers with, and what it was asked.

    Attributes:
        answers: how an RPC is answered, by its name; a list of an async stream's messages where it streams.
        seen: name, request and bearer of each call, in order.
        metadata: that of each call, in the same order.
        forms: what the token endpoint was asked.
        lifetime: how long its tokens hold.
        receipts: those that an RPC goes ahead of its answer with, or of its refusal, by its name.
    """

    answers: dict[str, Serve] = field(default_factory=dict)
    seen: list[tuple[str, Any, str]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    refusals: list[httpx.Response] = field(default_factory=list)
    lifetime: int = 600
    receipts: dict[str, list[common_pb2.Receipt]] = field(default_factory=dict)
    url: str = ""
    paused: list[float] = field(default_factory=list)
    now: float = 1000.0

    def calls(self) -> Counter[str]:
        """How often each RPC was called."""
        return Counter(name for name, _, _ in self.seen)

    async def _pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds

    def client(self, credentials: Credentials | None = None, **more: Any) -> AsyncTongban:
        """A client of this region, whose clock goes by its pauses alone."""
        policy = RetryPolicy(clock=lambda: self.now, sleep=self._pause, draw=lambda _, most: most)
        made = AsyncTongban(self.url, credentials, policy=policy, **more)
        made.caller.connection.http = httpx.AsyncClient(
            base_url=self.url, transport=httpx.MockTransport(self._token_endpoint)
        )
        return made

    def _token_endpoint(self, request: httpx.Request) -> httpx.Response:
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        if self.refusals:
            return self.refusals.pop(0)
        return httpx.Response(200, json={"access_token": f"token-{len(self.forms)}", "expires_in": self.lifetime})

    async def _answer(self, name: str, request: Any, context: Any) -> Any:
        self.metadata.append(dict(context.invocation_metadata()))
        bearer = self.metadata[-1].get("authorization", "").removeprefix("Bearer ")
        self.seen.append((name, request, bearer))
        if name in self.receipts:
            given = zip((RECEIPT, RECEIPT_ABROAD), self.receipts[name], strict=False)
            await context.send_initial_metadata([(key, receipt.SerializeToString()) for key, receipt in given])
        try:
            return self.answers[name](request)
        except TongbanError as error:
            details = status.to_status(error).SerializeToString()
            context.set_trailing_metadata(((status.DETAILS_KEY, details),))
            await context.abort(status.grpc_code(error), error.message)

    def handler(self, method: Any) -> Any:
        """Serves one RPC."""
        kind = message_factory.GetMessageClass(method.input_type)
        answer = message_factory.GetMessageClass(method.output_type)

        async def unary(request: Any, context: Any) -> Any:
            return await self._answer(method.name, request, context)

        async def taking(requests: AsyncIterator[Any], context: Any) -> Any:
            return await self._answer(method.name, [each async for each in requests], context)

        async def giving(request: Any, context: Any) -> Any:
            for part in await self._answer(method.name, request, context):
                yield part

        async def exchanging(requests: AsyncIterator[Any], context: Any) -> Any:
            count = 0
            async for each in requests:
                yield await self._answer(method.name, (count, each), context)
                count += 1

        makers: dict[tuple[bool, bool], Any] = {
            (False, False): lambda: grpc.unary_unary_rpc_method_handler(unary, kind.FromString, _bytes(answer)),
            (True, False): lambda: grpc.stream_unary_rpc_method_handler(taking, kind.FromString, _bytes(answer)),
            (True, True): lambda: grpc.stream_stream_rpc_method_handler(exchanging, kind.FromString, _bytes(answer)),
            (False, True): lambda: grpc.unary_stream_rpc_method_handler(giving, kind.FromString, _bytes(answer)),
        }
        return makers[method.client_streaming, method.server_streaming]()


def _bytes(answer: Any) -> Any:
    return answer.SerializeToString


@asynccontextmanager
async def region_stub() -> AsyncIterator[RegionStub]:
    """Runs one."""
    stub, server = RegionStub(), grpc.aio.server()
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            handlers = {method.name: stub.handler(method) for method in service.methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    stub.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield stub
    finally:
        await server.stop(None)
