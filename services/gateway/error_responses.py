"""What an RPC is refused with, for the OpenAPI document: a response for each HTTP status, an example for each reason."""

from collections import defaultdict
from typing import Any

from google.protobuf import json_format

from libs.errors import Code, error_class
from libs.rpc import refusals, status
from libs.rpc.contract import Method
from services.gateway.replies import documented
from tongban.errors.v1 import error_reason_pb2

Json = dict[str, Any]

_NOT_HERE = frozenset({"PEER_NOT_ALLOWED"})
"""Nobody who comes through the gateway is refused so: its certificate stands on every list."""


def responses(method: Method) -> Json:
    """Returns the responses other than success, by HTTP status; each names its reasons and has an example of each."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    told = refusals.refusals(method)
    for reason in told:
        if reason not in _NOT_HERE:
            by_status[Code[documented(reason).code].http].append(reason)
    return {str(http): _response(reasons, told) for http, reasons in sorted(by_status.items())}


def _response(reasons: list[str], told: dict[str, str]) -> Json:
    said = [f"{reason} ({told[reason]})" if told[reason] else reason for reason in reasons]
    shown = {reason: {"$ref": f"#/components/examples/{reason}"} for reason in reasons}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}, "examples": shown}}
    return {"description": f"Refused: {'; '.join(said)}.", "content": content}


def examples() -> Json:
    """Returns an answer for each reason, as it goes out: with what the reason's documentation promises."""
    names = (name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()[1:])
    return {reason: _example(reason) for reason in names}


def _example(reason: str) -> Json:
    meaning = documented(reason)
    error = error_class(Code[meaning.code])(reason, "one sentence for developers")
    error.metadata = {key: f"<{key}>" for key in meaning.metadata}
    return {"summary": meaning.message_zh, "value": json_format.MessageToDict(status.to_status(error))}
