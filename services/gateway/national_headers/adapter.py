"""Answers requests with the headers of the national platforms by calls of this region's API, through its own gateway.

``POST /sysapi/<anything>``: what is asked for says sid. The answer is ``{code, message, data}``, 200 or 300, always with HTTP's 200.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.client import AsyncTongban
from libs.errors import TongbanError, Violation, reasons
from libs.observability.logs import logger
from libs.observability.net import App, net
from libs.rpc import languages, status
from libs.security.once import UsedOnce
from services.gateway.national_headers import scheme

DONE, FAILED = 200, 300
_DEPTH = 32
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class MappedRpc:
    """The RPC of an interface: what it takes, and what it answers with."""

    name: str
    request: type[Message]
    answer: type[Message]


@dataclass(frozen=True, slots=True)
class LetIn:
    """A requester: its secret, what it may ask for, and the region as its client meets it."""

    secret: str
    services: frozenset[str]
    region: AsyncTongban


@dataclass(frozen=True, slots=True)
class AdapterLimits:
    """How far clocks may be apart in seconds, whether a body makes a request another one, and its most bytes."""

    window: float
    one_body_a_moment: bool
    most_bytes: int


class NationalAdapter:
    """Checks who asks, calls as their client, and answers as the platforms do."""

    def __init__(
        self,
        requesters: Mapping[str, LetIn],
        rpcs: Mapping[str, MappedRpc],
        used: UsedOnce,
        limits: AdapterLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._requesters = requesters
        self._rpcs = rpcs
        self._used = used
        self._limits = limits
        self._clock = clock

    def app(self) -> App:
        """Returns the application."""
        app = Starlette(routes=[Route("/sysapi/{rest:path}", self._serve, methods=["POST"])])
        fault = reasons.internal("the adapter can't serve this request")
        return net(app, lambda _correlation_id: _failure(fault))

    async def _serve(self, request: Request) -> Response:
        said: scheme.NationalHeaders | None = None
        try:
            said = scheme.read(request.headers)
            data = await self._answer(said, request)
        except TongbanError as error:
            # An unknown name may be anybody's words.
            known = said is not None and said.rid in self._requesters
            _log.info("refused", reason=error.reason, rid=said.rid if said and known else "")
            return _failure(error)
        return JSONResponse({"code": DONE, "message": "成功", "data": data})

    async def _answer(self, said: scheme.NationalHeaders, request: Request) -> Any:
        requester = self._requesters.get(said.rid)
        scheme.check(said, requester.secret if requester else "", self._clock(), self._limits.window)
        if requester is None or said.sid not in requester.services:
            raise reasons.route_not_found("the requester may ask for no such service")
        rpc, body = self._rpcs[said.sid], await self._body(request)
        asked = _read(rpc, body)
        key = scheme.once_key(said, body, with_body=not self._limits.one_body_a_moment)
        if not await self._used.take("request", said.rid, key, 2 * self._limits.window):
            raise reasons.signature_replayed("a request of this requester, service and time was taken before")
        answer = await requester.region.call(asked, rpc.answer)
        return json_format.MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    async def _body(self, request: Request) -> bytes:
        gathered = bytearray()
        try:
            async for chunk in request.stream():
                gathered += chunk
                if len(gathered) > self._limits.most_bytes:
                    most = str(self._limits.most_bytes)
                    raise reasons.message_too_large("the body is larger than taken", limit_bytes=most)
        except ClientDisconnect as error:
            raise _unreadable("the body was not sent whole") from error
        return bytes(gathered)


def _read(rpc: MappedRpc, body: bytes) -> Message:
    """Reads a body as the request of an RPC; a change says its request_id itself, or a repeat would be done twice."""
    try:
        asked = json_format.Parse(body, rpc.request(), max_recursion_depth=_DEPTH)
    except (json_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable("it is no JSON of this service") from error
    if "request_id" in asked.DESCRIPTOR.fields_by_name and not getattr(asked, "request_id"):  # noqa: B009 - any message
        violation = Violation("request_id", "string.uuid", "must be a UUID, the same in each repeat")
        raise reasons.field_invalid("request_id is needed", violations=(violation,))
    return asked


def _unreadable(message: str) -> TongbanError:
    return reasons.field_invalid(message, violations=(Violation("", "json", message),))


def _failure(error: TongbanError) -> JSONResponse:
    sentence = status.sentence(error.reason, languages.CHINESE) or error.message
    violations = [{"field": each.field, "rule": each.rule} for each in error.violations]
    data = {"reason": error.reason, "metadata": error.metadata, "field_violations": violations}
    return JSONResponse({"code": FAILED, "message": sentence, "data": data})
