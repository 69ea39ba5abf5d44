"""Calls to neighbours: mTLS, always a timeout, the trace passed on, whose call it is said, errors as their callee meant."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from libs.config import TlsConfig
from libs.errors import reasons
from libs.observability import metrics, tracing
from libs.rpc import receipts, status
from libs.rpc.call import served
from libs.rpc.gateways import CHANNEL_OPTIONS
from libs.rpc.repeating import NeighbourAttempts
from libs.rpc.waiting import NeighbourChannel, waiting_for
from tongban.common.v1 import common_pb2

Answer = TypeVar("Answer", bound=Message)
TAKES_CALLS = "calls"
"""The name under which a process says whether it takes calls: its database answers, and it is not about to stop."""

# A neighbour that does not even answer a ping hangs: a call that may take long ends after six seconds, as those with the default
# timeout do after five. gRPC's own threads answer pings, whatever the process computes.
_NEIGHBOUR = [
    *CHANNEL_OPTIONS,
    ("grpc.keepalive_time_ms", 2_500),
    ("grpc.keepalive_timeout_ms", 3_500),
    ("grpc.http2.ping_timeout_ms", 3_500),
    ("grpc.http2.max_pings_without_data", 0),
]
_REPLICAS = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": TAKES_CALLS},
}
"""Calls go to the replicas in turn; one that is away, or says that it is about to stop, is left out."""
DEFAULT_TIMEOUT = 5.0
TellReceipt = Callable[[common_pb2.Receipt | None], None]
_SERVED_SECONDS = 30.0


def nobody(_receipt: common_pb2.Receipt | None) -> None:
    """Is told a receipt that nobody needs."""


def credentials(tls: TlsConfig) -> grpc.ChannelCredentials:
    """Reads the PEM files of this process's own certificate."""
    return grpc.ssl_channel_credentials(
        root_certificates=tls.ca.read_bytes(),
        private_key=tls.key.read_bytes(),
        certificate_chain=tls.cert.read_bytes(),
    )


def neighbour_channel(address: str, tls: TlsConfig, name: str = "") -> NeighbourChannel:
    """Opens a channel to a service of the same region.

    Args:
        address: ``host:port``, or those of its replicas (IPv4), separated by commas.
        tls: this process's own certificate.
        name: what the certificates of its replicas say (``cases.341500.tongban.internal``); needed where there are several.
    """
    if "," not in address:
        return NeighbourChannel(grpc.aio.secure_channel(address, credentials(tls), options=_NEIGHBOUR))
    several = [("grpc.ssl_target_name_override", name), ("grpc.service_config", json.dumps(_REPLICAS))]
    options = [*_NEIGHBOUR, *several]
    return NeighbourChannel(grpc.aio.secure_channel(f"ipv4:{address}", credentials(tls), options=options))


def _metadata(token: str) -> list[tuple[str, str]]:
    call = served()
    headers: list[tuple[str, str]] = []
    if token:
        headers.append(("authorization", f"Bearer {token}"))
    if call is not None and call.trace_id:
        headers.append(("traceparent", tracing.traceparent(call.trace_id, call.span_id)))
    elif call is None and tracing.followed():
        headers.append(("traceparent", tracing.followed()))
    return headers


def _attempts(function: Any, to: str, request: Message, seconds: float) -> NeighbourAttempts:
    """A call that is being served has what is left of it for all tries; a task of the service's own has loops of its own."""
    call, left = served(), seconds
    if call is not None:
        remaining: float | None = call.context.time_remaining()  # the stubs do not know that it may be None
        left = _SERVED_SECONDS if remaining is None else remaining - 0.05
    descriptor: Any = request.DESCRIPTOR
    return NeighbourAttempts(to, descriptor, seconds, left, waiting_for(function))


async def invoke(
    function: Any,
    request: Message,
    answer: type[Answer],
    *,
    to: str,
    token: str,
    timeout: float = DEFAULT_TIMEOUT,
) -> Answer:
    """Calls a stub's method and returns its answer; across a restart of the neighbour too (``libs.rpc.repeating``).

    Args:
        function: the stub's method.
        request: the request.
        answer: the class of the answer.
        to: the neighbour's name, told in the error when it is away.
        token: whose call it is: the access token to send, or "" where the call is the service's own, known by its mTLS name.
        timeout: seconds for one try; cut to what is left of the call being served.

    Raises:
        TongbanError: what the callee meant, or DEPENDENCY_UNAVAILABLE.
    """
    response, _ = await _invoked(function, request, answer, to, token, timeout)
    return response


async def invoke_recorded(
    function: Any,
    request: Message,
    answer: type[Answer],
    *,
    to: str,
    token: str,
    timeout: float = DEFAULT_TIMEOUT,
) -> tuple[Answer, common_pb2.Receipt | None]:
    """Calls as ``invoke``; returns the answer and the receipt of whoever held what was asked for, where they recorded it."""
    response, call = await _invoked(function, request, answer, to, token, timeout)
    return response, receipts.held(await call.initial_metadata())


async def _invoked(
    function: Any, request: Message, answer: type[Answer], to: str, token: str, timeout: float
) -> tuple[Answer, Any]:
    """Calls as ``invoke``; returns the answer, and gRPC's call."""
    attempts = _attempts(function, to, request, timeout)
    while True:
        call = function(request, timeout=attempts.seconds, metadata=_metadata(token))
        try:
            response = await call
        except grpc.aio.AioRpcError as error:
            metrics.CLIENT_ERRORS.labels(to, error.code().name).inc()
            if not await attempts.again(error):
                raise status.from_rpc_error(error, to) from error
        else:
            return _read(response, answer, to), call


def _read(response: Any, answer: type[Answer], to: str) -> Answer:
    """Returns the answer; gRPC logs bytes that are no message, and gives something else in their place."""
    if isinstance(response, answer):
        return response
    said = f"{to} answered with what can't be read"
    raise (
        reasons.dependency_unavailable(said, retry_after=60.0, dependency=to)
        if to.startswith("//")
        else reasons.internal(said)
    )


async def stream(
    function: Any,
    request: Message,
    answer: type[Answer],
    *,
    to: str,
    token: str,
    timeout: float = DEFAULT_TIMEOUT,
    tell: TellReceipt = nobody,
) -> AsyncIterator[Answer]:
    """Calls a stub's method that streams its answer; arguments and errors as ``invoke``, ``timeout`` for the whole.

    What has begun to come is not asked for again. ``tell`` is told the receipt of whoever holds it, before the first message;
    None where they recorded nothing.
    """
    attempts, begun = _attempts(function, to, request, timeout), False
    while True:
        try:
            call = function(request, timeout=attempts.seconds, metadata=_metadata(token))
            async for message in call:
                if not begun:
                    tell(receipts.held(await call.initial_metadata()))
                begun = True
                yield _read(message, answer, to)
        except grpc.aio.AioRpcError as error:
            metrics.CLIENT_ERRORS.labels(to, error.code().name).inc()
            if begun or not await attempts.again(error):
                raise status.from_rpc_error(error, to) from error
        else:
            return
