"""Stage 10: what changes something is refused while nothing can be written, before anything was done; reads go on."""

from collections.abc import Callable

from google.protobuf.message import Message

from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method


def writing(require: Callable[[], None]) -> Stage:
    """Builds the stage; ``require`` raises Unavailable where nothing can be written now."""

    def stage(method: Method, handler: Handler) -> Handler:
        if not method.writes:
            return handler

        async def with_writing(request: object, call: Call) -> Message:
            require()
            return await handler(request, call)

        return with_writing

    return stage
