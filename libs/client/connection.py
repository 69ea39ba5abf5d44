"""A client's connections to one gateway: gRPC for the API, HTTP for the token endpoint."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

import grpc
import httpx
from google.protobuf.message import Message

from libs.client.certificates import OwnCertificate
from libs.client.proofs import ProofKey
from libs.client.receipts import OnReceipt
from libs.client.retrying import Failure
from libs.client.signing import RequestSigner
from libs.client.tokens import IssuedToken
from libs.errors import Code, TongbanError, error_class, reasons
from libs.rpc import receipts, status
from libs.rpc.contract import Method
from libs.rpc.gateways import gateway_channel
from tongban.errors.v1 import error_reason_pb2

Answer = TypeVar("Answer", bound=Message)

_NAME = "the gateway"
_TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_EXCHANGE = "/tongban.identity.v1.TokenService/ExchangeToken"
Metadata = list[tuple[str, str]]


class Connection:
    """One gateway, by its base URL.

    Args:
        url: ``http://host:port`` or ``https://host``, as the region publishes it: tokens name it as their audience.
        roots: PEM certificates to trust for https; None for those of the system.
        on_receipt: is told the receipts of every call, also of one that was refused.
        proof_key: the key to which tokens are bound that are asked for here; None for bearer's tokens.
        certificate: with which connections are opened, and to which tokens are bound otherwise; None for none.
    """

    def __init__(
        self,
        url: str,
        roots: bytes | None = None,
        on_receipt: OnReceipt | None = None,
        proof_key: ProofKey | None = None,
        certificate: OwnCertificate | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.channel = gateway_channel(self.url, roots, certificate.for_grpc(roots) if certificate else None)
        context = _verifying(roots) if certificate is None else certificate.for_http(roots)
        self.http = httpx.AsyncClient(base_url=self.url, verify=context, trust_env=False)
        self._functions: dict[str, Any] = {}
        self._on_receipt = on_receipt
        self.proof_key = proof_key

    async def close(self) -> None:
        """Closes them."""
        await self.http.aclose()
        await self.channel.close()

    def _metadata(self, method: Method, token: str) -> Metadata:
        """What a call brings: a token, with a proof where it is bound to our key; an exchange proves the key without one."""
        key = self.proof_key
        if key is not None and (key.holds(token) or method.path == _EXCHANGE):
            proof = [("dpop", key.proof("POST", f"{self.url}{method.path}", token))]
            return [("authorization", f"DPoP {token}"), *proof] if token else proof
        return [("authorization", f"Bearer {token}")] if token else []

    def _function(self, method: Method, kind: str) -> Any:
        if method.path not in self._functions:
            make = getattr(self.channel, kind)
            self._functions[method.path] = make(
                method.path,
                request_serializer=_serialized,
                response_deserializer=method.response_type.FromString,
            )
        return self._functions[method.path]

    async def call(
        self, method: Method, request: Message, seconds: float, token: str, signer: RequestSigner | None = None
    ) -> Message:
        """Calls once; raises grpc.aio.AioRpcError."""
        function, message = self._function(method, "unary_unary"), _serialized(request)
        metadata = self._signed(method, message, token, signer)
        return await self._answer(function(message, timeout=seconds, metadata=metadata))

    def _signed(self, method: Method, message: bytes, token: str, signer: RequestSigner | None) -> Metadata:
        brought = self._metadata(method, token)
        shown = dict(brought).get("authorization", "")
        signature = signer.of_call(self.url, method.path, message, shown) if signer and token else []
        return [*brought, *signature]

    async def send(self, method: Method, requests: Sequence[Message], seconds: float, token: str) -> Message:
        """Sends a stream once; raises grpc.aio.AioRpcError."""
        function = self._function(method, "stream_unary")
        return await self._answer(function(iter(requests), timeout=seconds, metadata=self._metadata(method, token)))

    async def _answer(self, call: Any) -> Message:
        try:
            answer: Message = await call
        except grpc.aio.AioRpcError as error:
            self._tell_receipts(error.initial_metadata())
            raise
        self._tell_receipts(await call.initial_metadata())
        return answer

    def _tell_receipts(self, metadata: Any) -> None:
        if self._on_receipt is not None:
            for receipt in receipts.received(metadata):
                self._on_receipt(receipt)

    async def exchange(
        self, method: Method, requests: AsyncIterator[Message], seconds: float | None, token: str
    ) -> AsyncIterator[Message]:
        """Sends a stream and yields its answers as they come; raises grpc.aio.AioRpcError."""
        call = self._function(method, "stream_stream")(
            requests, timeout=seconds, metadata=self._metadata(method, token)
        )
        try:
            async for message in call:
                yield message
        finally:
            call.cancel()

    async def receive(
        self, method: Method, request: Message, seconds: float, token: str, signer: RequestSigner | None = None
    ) -> AsyncIterator[Message]:
        """Asks for a stream once; raises grpc.aio.AioRpcError while it is read."""
        function, message = self._function(method, "unary_stream"), _serialized(request)
        call = function(message, timeout=seconds, metadata=self._signed(method, message, token, signer))
        self._tell_receipts(await call.initial_metadata())
        async for message in call:
            yield message

    async def grant(self, form: dict[str, str], seconds: float) -> IssuedToken:
        """Asks the token endpoint (RFC 6749).

        Raises:
            TongbanError: by the reason that the endpoint names; Unauthenticated where it names none; Unavailable.
        """
        try:
            async with asyncio.timeout(seconds):
                key, uri = self.proof_key, f"{self.url}{_TOKEN_PATH}"
                headers = {"dpop": key.proof("POST", uri)} if key is not None else {}
                answer = await self.http.post(_TOKEN_PATH, data=form, headers=headers, timeout=seconds)
        except (httpx.TransportError, ssl.SSLError, TimeoutError) as error:
            raise reasons.dependency_unavailable("the token endpoint does not answer", dependency=_NAME) from error
        if answer.status_code != httpx.codes.OK:
            raise _refusal(answer)
        content = answer.json()
        return IssuedToken(str(content["access_token"]), float(content["expires_in"]))


def _verifying(roots: bytes | None) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cadata=roots.decode("ascii")) if roots else True


def _serialized(given: Message | bytes) -> bytes:
    """A message as it is sent; what was signed is bytes already."""
    return given if isinstance(given, bytes) else given.SerializeToString()


def failure(error: grpc.aio.AioRpcError) -> Failure:
    """What a try's error means."""
    unsent = error.code() is grpc.StatusCode.UNAVAILABLE and "failed to connect" in (error.details() or "")
    return Failure(status.from_rpc_error(error, _NAME), sent=not unsent)


def broken(error: grpc.aio.AioRpcError) -> Failure:
    """What the end of a stream means: what nobody of ours has said is that it broke, whatever code gRPC gives it."""
    if any(key == status.DETAILS_KEY for key, _ in error.trailing_metadata() or ()):
        return failure(error)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Failure(reasons.not_done_in_time("the stream did not end in the time that was given"))
    return Failure(reasons.dependency_unavailable("the stream broke", dependency=_NAME), sent=failure(error).sent)


def _refusal(answer: httpx.Response) -> TongbanError:
    """The error that an answer of the token endpoint means (RFC 6749, 5.2)."""
    try:
        content = dict(answer.json())
    except (ValueError, TypeError):
        content = {}
    delay = answer.headers.get("retry-after", "")
    after = float(delay) if delay.isdigit() else None
    said = f"{content.get('error', answer.status_code)}: {content.get('error_description', 'no description')}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return reasons.rate_limited(said, retry_after=after if after is not None else 1.0)
    if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        return reasons.dependency_unavailable(said, dependency="the token endpoint", retry_after=after)
    return _by_reason(str(content.get("reason", "")), said) or reasons.token_invalid(
        said, rule=str(content.get("error", "grant"))
    )


def _by_reason(reason: str, message: str) -> TongbanError | None:
    value = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name.get(f"ERROR_REASON_{reason}")
    if value is None:
        return None
    meaning = value.GetOptions().Extensions[error_reason_pb2.error]
    return error_class(Code[str(meaning.code)])(reason, message)
