"""Steps on things that stand: what all that change one are refused with, asked of each RPC of a service alike."""

import uuid
from collections.abc import Awaitable
from typing import Any

from google.protobuf.message import Message

from libs.errors import TongbanError
from tests.support import contracts
from tests.support.requests import minimal

OLD = '"9999"'
"""An etag that nothing has."""


def steps(service: str) -> list[str]:
    """The RPCs of a gRPC service, such as ``cases.v1.CaseService``, that change a thing by its name and etag."""
    return [
        str(method.descriptor.name)
        for method in contracts.methods()
        if method.service == f"tongban.{service}"
        and {"name", "etag", "request_id"} <= set(method.descriptor.input_type.fields_by_name)
    ]


def asked(rpc: str, name: str, etag: str = "", **more: Any) -> Message:
    """The least request of a step, for this thing, which was read with this etag."""
    method = next(each for each in contracts.methods() if each.descriptor.name == rpc)
    request: Any = minimal(method.descriptor.input_type)
    request.name, request.etag, request.request_id = name, etag, str(uuid.uuid4())
    request.MergeFrom(type(request)(**more))
    return request  # type: ignore[no-any-return]


async def refused(answer: Awaitable[Any]) -> str:
    """The reason for which a call is refused; empty where it is not."""
    try:
        await answer
    except TongbanError as error:
        return error.reason
    return ""
