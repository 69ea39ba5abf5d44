"""Stage 9b: what a caller of this region names as a purpose stands in the table, and a context has what its purpose asks for.

What another region states is of its own table, which may be newer: it is kept as it is, and opens nothing by a code that is
not known here, for what allows a use names the code too. What one service asks another internally was held to the table before.
"""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from libs.access import purposes as table
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method
from tongban.common.v1 import common_pb2

_Path = tuple[str, ...]
_CONTEXT = common_pb2.UseContext.DESCRIPTOR.full_name
_CODE = "purpose_code"


@cache
def purposes_in(request: Descriptor) -> tuple[_Path, ...]:
    """Returns the paths at which a request names a purpose: its use contexts, and the codes of consents, terms and the like."""
    return tuple(_paths(request, frozenset()))


def _paths(message: Descriptor, above: frozenset[str]) -> Iterator[_Path]:
    for field in message.fields:
        if field.name == _CODE and not field.is_repeated:
            yield (field.name,)
        elif field.message_type is not None and not field.is_repeated:
            yield from ((field.name, *path) for path in _inside(field.message_type, above | {message.full_name}))


def _inside(message: Descriptor, above: frozenset[str]) -> Iterator[_Path]:
    if message.full_name == _CONTEXT:
        return iter([()])
    return iter(()) if message.full_name in above else _paths(message, above)


def states_purpose(method: Method) -> bool:
    """Whether a request of this RPC names a purpose that is held to the table.

    What comes from within the region was held to it before; what comes from another one is not held to ours.
    """
    return method.for_fronts and bool(purposes_in(method.descriptor.input_type))


def purposes(method: Method, handler: Handler) -> Handler:
    """Checks every purpose that a request names; of RPCs that take none nothing is done."""
    if not states_purpose(method):
        return handler

    async def with_purpose(request: Any, call: Call) -> Message:
        if call.actor.region:
            return await handler(request, call)
        if method.descriptor.client_streaming:
            return await handler(_each(request), call)
        _check(request)
        return await handler(request, call)

    return with_purpose


async def _each(stream: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in stream:
        _check(request)
        yield request


def _check(request: Any) -> None:
    for path in purposes_in(request.DESCRIPTOR):
        found = _at(request, path)
        if isinstance(found, common_pb2.UseContext):
            table.check(found, ".".join(path))
        elif found:
            table.check_code(found, ".".join(path))


def _at(message: Any, path: _Path) -> Any:
    for name in path:
        if name != _CODE and not message.HasField(name):
            return None
        message = getattr(message, name)
    return message
