"""Stage 6b: a token that came by another region's word holds only while that region is trusted."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.streams import asked_again

Check = Callable[[str], Awaitable[object]]
"""Raises PermissionDenied REGION_NOT_TRUSTED unless the region with this code is trusted now."""


def trust(check: Check) -> Stage:
    """Builds the stage. Suspending a region so stops also the calls under tokens that were given out before."""

    def stage(method: Method, handler: Handler) -> Handler:
        async def with_trust(request: Any, call: Call) -> Message:
            if call.actor.region:
                await check(call.actor.region)
                if method.descriptor.client_streaming:
                    request = asked_again(request, lambda: check(call.actor.region))
            return await handler(request, call)

        return with_trust

    return stage
