"""Builds the gRPC server that every service runs on: one chain of stages around every RPC, mTLS, health."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import reduce
from typing import Any, Protocol, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2

from libs.config import ServiceConfig, TlsConfig
from libs.errors import TongbanError, reasons
from libs.observability.tracing import Tracing
from libs.rpc import json_edge, languages, status
from libs.rpc.call import Call, Handler, Stage, enter
from libs.rpc.contract import ContractError, Method, methods_of
from libs.rpc.messages import wire_bytes
from libs.rpc.stages.access_log import access_log
from libs.rpc.stages.caller import caller
from libs.rpc.stages.deadline import deadline
from libs.rpc.stages.disclosure import disclosure
from libs.rpc.stages.errors import errors, errors_of_stream
from libs.rpc.stages.peer import peer
from libs.rpc.stages.permission import permission
from libs.rpc.stages.purposes import purposes
from libs.rpc.stages.rate_limit import Take, any_number, rate_limit
from libs.rpc.stages.trace import trace
from libs.rpc.stages.trust import Check, trust
from libs.rpc.stages.validation import MAX_MESSAGE_BYTES, validation
from libs.rpc.stages.writing import writing
from libs.rpc.streams import StreamsUnderWay, begun
from libs.security.possession import ProofsOfPossession
from libs.security.tokens import TokenVerifier

Context = grpc.aio.ServicerContext[Any, Any]
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# A little more than the typed limit, so that the typed error can be given; far more is cut by gRPC itself.
_TRANSPORT_LIMIT = 4 * MAX_MESSAGE_BYTES
_METADATA_LIMIT = 128 * 1024
_OPTIONS = [
    ("grpc.max_receive_message_length", _TRANSPORT_LIMIT),
    ("grpc.max_send_message_length", _TRANSPORT_LIMIT),
    # Each replica has a port of its own (decision 0040): two on one port are a mistake, and are told.
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.max_pings_without_data", 0),
    # What the gateway lets through must not be cut here: gRPC's own refusal is bare. It adds the original path.
    ("grpc.max_metadata_size", _METADATA_LIMIT),
    ("grpc.absolute_max_metadata_size", _METADATA_LIMIT),
    # The gateway asks every 30 s whether its connection lives, and all callers share it: never close it for that.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # A stream that is read slowly holds this much ahead and no more: by its probe gRPC would let 10 MB and more in for each.
    # Whoever is refused before they have sent all gets the reason where the rest fits in here; else gRPC breaks the stream off.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 4 * 1024 * 1024),
]


def _may_write() -> None:
    """Nothing stands in the way."""


def default_stages(
    config: ServiceConfig,
    verifier: TokenVerifier,
    trusted: Check,
    require_writing: Callable[[], None] = _may_write,
    tracing: Tracing | None = None,
    quotas: Take = any_number,
    proofs: ProofsOfPossession | None = None,
) -> list[Stage]:
    """Returns the stages in a fixed order; a test holds it.

    ``trusted`` tells whether another region is trusted now: no server is built that doesn't ask. ``require_writing`` raises
    where nothing can be written now. ``tracing`` makes the spans; without it there are none. ``quotas`` counts what clients call.
    ``proofs`` checks those of bound tokens; without it none is taken.
    """
    return [
        trace(tracing or Tracing()),
        access_log,
        errors,
        deadline(config.grpc.stream_idle_seconds),
        peer(config.grpc.allow, f"{config.region.id}.{config.tls.domain}"),
        caller(verifier, proofs),
        trust(trusted),
        permission(verifier.clock),
        rate_limit(config.grpc.calls_per_second_per_caller, quotas),
        validation,
        purposes,
        writing(require_writing),
        disclosure,
    ]


def _told(call: Call, error: TongbanError) -> status_pb2.Status:
    return status.to_status(error, languages.preferred(call.metadata.get(languages.HEADER, "")))


async def _abort(call: Call, error: TongbanError) -> None:
    """Refuses; where the refusal is on record, with its receipt."""
    trailers: list[tuple[str, str | bytes]] = []
    if json_edge.came_as_json(call.metadata):
        trailers.extend(json_edge.hints(error))
        if call.method.descriptor.server_streaming:
            # The transcoder would send 200 as soon as anything came before the status.
            trailers.extend(call.taken_receipts())
    await call.send_receipts()
    details = _told(call, error)
    trailers.append((status.DETAILS_KEY, details.SerializeToString()))
    await call.context.abort(status.grpc_code(error), details.message, tuple(trailers))


async def _break_off(call: Call, error: TongbanError) -> None:
    """Ends a stream behind its first answer; trailers hold the reason once, in the form that the caller can be told it in."""
    if json_edge.came_as_json(call.metadata):
        details = _told(call, error)
        trailers = ((json_edge.STREAM_ERROR, json_edge.stream_error(details)),)
        await call.context.abort(status.grpc_code(error), details.message, trailers)
    else:
        await _abort(call, error)


def _serialized(answer: Message) -> bytes:
    data = wire_bytes(answer)
    if len(data) > _TRANSPORT_LIMIT:
        # gRPC would refuse to send it without our details.
        raise reasons.message_too_large("the answer is too large", limit_bytes=str(_TRANSPORT_LIMIT))
    return data


def _text_metadata(context: Context) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _entry(method: Method, handler: Handler) -> Callable[[Any, Context], Awaitable[bytes]]:
    async def serve(request: Any, context: Context) -> bytes:
        call = Call(method, context, _text_metadata(context))
        enter(call)
        try:
            data = _serialized(await handler(request, call))
        except TongbanError as error:
            await _abort(call, error)
            raise
        await call.send_receipts()
        return data

    return serve


class _Writer:
    """Writes answers one after the other; gRPC's own write can't be cancelled while nobody reads, waiting for it can."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._last: asyncio.Future[None] | None = None

    async def write(self, data: bytes) -> None:
        """Writes an answer, and waits until there is room for another."""
        self._last = asyncio.ensure_future(self._context.write(data))
        self._last.add_done_callback(_looked_at)
        await asyncio.shield(self._last)

    @property
    def begun(self) -> bool:
        """Whether an answer was written."""
        return self._last is not None

    async def settled(self) -> None:
        """Waits until the last answer was taken, or its reader is gone."""
        if self._last is not None:
            await asyncio.wait({self._last})


def _looked_at(written: "asyncio.Future[None]") -> None:
    if not written.cancelled():
        written.exception()


def _streaming_entry(
    method: Method, handler: Handler, streams: StreamsUnderWay
) -> Callable[[Any, Context], Awaitable[None]]:
    """As ``_entry``, for an RPC that streams its answer: the stages stand around everything up to the first message.

    Answers are written one after the other: who does not read them is waited for, and so is not read from.
    """

    async def serve(request: Any, context: Context) -> None:
        call, writer = Call(method, context, _text_metadata(context)), _Writer(context)
        enter(call)
        try:
            # Nothing else holds on to them: once they are closed what they hold is given back.
            given = streams.until_told(request) if method.exchanges else request
            messages = errors_of_stream(method, cast("Any", await handler(given, call)), call)
            await call.send_receipts()
            async with call.pace.kept(), aclosing(messages) as answers:
                async for message in answers:
                    await writer.write(_serialized(message))
                    call.pace.moved()
        except TongbanError as error:
            # To who reads nothing nothing can be said before they do, or go; what the call held is given back by now.
            await writer.settled()
            await (_break_off if writer.begun else _abort)(call, error)

    return serve


def method_name(method: Method) -> str:
    """Returns what a handler is called: the RPC's name in snake case (``AcceptCase``: ``accept_case``)."""
    return _WORD.sub("_", str(method.descriptor.name)).lower()


def _served(apis: Sequence[object], method: Method) -> Callable[[Any, Call], Any]:
    """Finds the one handler of an RPC; raises ContractError where there is none, or more than one."""
    return handler_of(apis, method.descriptor.name)


def handler_of(apis: Sequence[object], rpc: str) -> Callable[[Any, Call], Any]:
    """Finds the one handler of an RPC by its name; raises ContractError where there is none, or more than one."""
    name = _WORD.sub("_", rpc).lower()
    found = [getattr(api, name) for api in apis if hasattr(api, name)]
    if len(found) != 1:
        served = ", ".join(type(api).__name__ for api in apis)
        raise ContractError(f"{rpc} is served {len(found)} times by {served}")
    handler: Callable[[Any, Call], Any] = found[0]
    return handler


def _handler(apis: Sequence[object], method: Method) -> Handler:
    function = _served(apis, method)

    async def open_stream(request: Message, call: Call) -> Any:
        return await begun(function(request, call))

    return open_stream if method.descriptor.server_streaming else function


class ServesHealth(Protocol):
    """Answers grpc.health.v1 on a server."""

    async def serve(self, server: grpc.aio.Server, names: Mapping[str, bool]) -> None:
        """Answers for the gRPC services ``names``, each with whether it writes."""


class ServerBuilder:
    """Collects what serves each RPC and builds the server.

    It refuses to build where an RPC declares no access, is not served, or where the configuration's allowlist names a
    gRPC service that is not registered (a typo there would close or open the wrong door).

    Attributes:
        streams: tells those that are under way that the server is about to stop.
    """

    def __init__(self, config: ServiceConfig, stages: list[Stage], health: ServesHealth) -> None:
        self._config = config
        self._health = health
        self._stages = stages
        self._handlers: dict[str, dict[str, grpc.RpcMethodHandler[Any, Any]]] = {}
        self._writes: dict[str, bool] = {}
        self.streams = StreamsUnderWay()

    def add(self, descriptor: ServiceDescriptor, *apis: object) -> "ServerBuilder":
        """Registers what serves the gRPC service that ``descriptor`` describes: for each RPC one handler in one of ``apis``.

        A handler is called as the RPC in snake case and takes the request and the :class:`Call`; the request is a message,
        or an async iterator of messages, and so is the answer.
        """
        methods = methods_of(descriptor)
        for method in methods:
            handler = self._served(method, apis)
            for name in method.services:
                self._handlers.setdefault(name, {})[method.descriptor.name] = handler
                self._writes[name] = any(each.writes for each in methods)
        return self

    def _served(self, method: Method, apis: Sequence[object]) -> "grpc.RpcMethodHandler[Any, Any]":
        chain = reduce(lambda inner, stage: stage(method, inner), reversed(self._stages), _handler(apis, method))
        entry: Any = _entry(method, chain)
        if method.descriptor.server_streaming:
            entry = _streaming_entry(method, chain, self.streams)
            kind = grpc.stream_stream_rpc_method_handler if method.exchanges else grpc.unary_stream_rpc_method_handler
            return kind(entry)
        if method.descriptor.client_streaming:
            return grpc.stream_unary_rpc_method_handler(entry)
        return grpc.unary_unary_rpc_method_handler(entry)

    async def build(self) -> grpc.aio.Server:
        """Makes the server, bound but not started; raises ContractError where configuration and contracts differ."""
        unknown = self._config.grpc.allow.keys() - self._handlers.keys()
        if unknown:
            raise ContractError(f"grpc.allow names services that are not served: {', '.join(sorted(unknown))}")
        server = grpc.aio.server(options=_OPTIONS)
        for name, handlers in self._handlers.items():
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))
        await self._health.serve(server, self._writes)
        address = f"{self._config.grpc.host}:{self._config.grpc.port}"
        if server.add_secure_port(address, server_credentials(self._config.tls)) == 0:
            raise ContractError(f"{address} can't be bound")
        return server


def server_credentials(tls: TlsConfig) -> grpc.ServerCredentials:
    """Reads the PEM files; clients must show a certificate of the region's CA."""
    return grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.cert.read_bytes())],
        root_certificates=tls.ca.read_bytes(),
        require_client_auth=True,
    )
