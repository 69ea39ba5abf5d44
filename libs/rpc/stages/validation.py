"""Stage 9: parses the request and checks the rules that the contract puts on its fields (buf.validate).

Parsing stands here, behind the permission, so that a stranger's bytes are not even read, and so that broken bytes and
broken UTF-8 get a typed error instead of gRPC's bare one.
"""

from collections.abc import AsyncIterator
from typing import Any

import protovalidate
from google.protobuf.message import DecodeError, Message

from libs.errors import InvalidArgument, ResourceExhausted, Violation
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method

MAX_MESSAGE_BYTES = 4 * 1024 * 1024


def _path(violation: Any) -> str:
    field = violation.proto.field
    return ".".join(element.field_name + _subscript(element.subscript) for element in (field.elements if field else ()))


def _subscript(subscript: Any) -> str:
    return "" if subscript is None else f"[{subscript.value}]"


def parse(method: Method, data: bytes) -> Message:
    """Parses one message of ``method``; raises a typed error for what is too large or not protobuf."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise ResourceExhausted("MESSAGE_TOO_LARGE", "the message is too large", limit_bytes=str(MAX_MESSAGE_BYTES))
    try:
        return method.request_type.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        violation = Violation("", "protobuf", "the bytes are not a valid message of this type, or hold broken UTF-8")
        raise InvalidArgument("FIELD_INVALID", "the request can't be parsed", violations=(violation,)) from error


def check(message: Message) -> None:
    """Raises InvalidArgument FIELD_INVALID naming every field of ``message`` that breaks a rule."""
    violations = protovalidate.collect_violations(message)
    if violations:
        raise InvalidArgument(
            "FIELD_INVALID", "the request breaks rules of its contract",
            violations=tuple(Violation(_path(v), v.proto.rule_id, v.proto.message) for v in violations),
        )  # fmt: skip


def _parse_and_check(method: Method, data: bytes) -> Message:
    message = parse(method, data)
    check(message)
    return message


async def _each(method: Method, stream: AsyncIterator[bytes]) -> AsyncIterator[Message]:
    async for data in stream:
        yield _parse_and_check(method, data)


def validation(method: Method, handler: Handler) -> Handler:
    """Parses and validates the request, or each message of a client's stream as it comes."""
    streams = method.descriptor.client_streaming

    async def with_validation(request: Any, call: Call) -> Message:
        return await handler(_each(method, request) if streams else _parse_and_check(method, request), call)

    return with_validation
