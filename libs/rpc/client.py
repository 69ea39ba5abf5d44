"""Calls to neighbours: mTLS, always a timeout, the caller's token and trace passed on, errors as their callee meant."""

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from libs.config import Tls
from libs.observability import metrics, tracing
from libs.rpc import status
from libs.rpc.call import call_or_none

Answer = TypeVar("Answer", bound=Message)

_OPTIONS = [
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # How long an attempt may take: a handshake with a process that hangs is given up, and tried with the next.
    ("grpc.min_reconnect_backoff_ms", 2_000),
]
DEFAULT_TIMEOUT = 5.0


def credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Reads the PEM files of this process's own certificate."""
    return grpc.ssl_channel_credentials(
        root_certificates=tls.ca.read_bytes(), private_key=tls.key.read_bytes(),
        certificate_chain=tls.cert.read_bytes(),
    )  # fmt: skip


def neighbour_channel(address: str, tls: Tls) -> grpc.aio.Channel:
    """Opens a channel to a service of the same region."""
    return grpc.aio.secure_channel(address, credentials(tls), options=_OPTIONS)


def gateway_channel(url: str) -> grpc.aio.Channel:
    """Opens a channel to a gateway by its base URL (``http://`` or ``https://``)."""
    scheme, _, authority = url.partition("://")
    if scheme == "https":
        return grpc.aio.secure_channel(authority, grpc.ssl_channel_credentials(), options=_OPTIONS)
    return grpc.aio.insecure_channel(authority, options=_OPTIONS)


def _metadata(token: str | None) -> list[tuple[str, str]]:
    call = call_or_none()
    headers: list[tuple[str, str]] = []
    bearer = token if token is not None else (call.principal.token if call else "")
    if bearer:
        headers.append(("authorization", f"Bearer {bearer}"))
    if call is not None and call.trace_id:
        headers.append(("traceparent", tracing.traceparent(call.trace_id, call.span_id)))
    elif call is None and tracing.followed():
        headers.append(("traceparent", tracing.followed()))
    return headers


def _timeout(wanted: float) -> float:
    call = call_or_none()
    remaining = call.context.time_remaining() if call else None
    return wanted if remaining is None else max(0.01, min(wanted, remaining - 0.05))


async def invoke(
    function: Any, request: Message, answer: type[Answer], *, to: str, timeout: float = DEFAULT_TIMEOUT,
    token: str | None = None,
) -> Answer:  # fmt: skip
    """Calls a stub's method and returns its answer.

    Args:
        function: the stub's method.
        request: the request.
        answer: the class of the answer.
        to: the neighbour's name, told in the error when it is away.
        timeout: seconds; cut to what is left of the call being served.
        token: the access token to send. None sends that of the call being served; "" sends none, so that the call is
            the service's own, known by its mTLS name.

    Raises:
        TongbanError: what the callee meant, or DEPENDENCY_UNAVAILABLE.
    """
    try:
        response = await function(request, timeout=_timeout(timeout), metadata=_metadata(token))
    except grpc.aio.AioRpcError as error:
        metrics.CLIENT_ERRORS.labels(to, error.code().name).inc()
        raise status.from_rpc_error(error, to) from error
    assert isinstance(response, answer)
    return response


async def stream(
    function: Any, request: Message, answer: type[Answer], *, to: str, timeout: float = DEFAULT_TIMEOUT,
    token: str | None = None,
) -> AsyncIterator[Answer]:  # fmt: skip
    """Calls a stub's method that streams its answer; arguments and errors as ``invoke``, ``timeout`` for the whole."""
    try:
        async for message in function(request, timeout=_timeout(timeout), metadata=_metadata(token)):
            assert isinstance(message, answer)
            yield message
    except grpc.aio.AioRpcError as error:
        metrics.CLIENT_ERRORS.labels(to, error.code().name).inc()
        raise status.from_rpc_error(error, to) from error
