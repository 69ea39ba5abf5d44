"""Stage 6b: a token that came by another region's word holds only while that region is trusted, and as far as it is."""

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from libs.errors import PermissionDenied, reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.streams import asked_again

Check = Callable[[str], Awaitable[bool]]
"""Says whether what comes from the region with this code may only read now.

Raises PermissionDenied REGION_NOT_TRUSTED unless it is trusted.
"""


def reads_only(region: str, direction: str) -> PermissionDenied:
    """Builds REGION_READS_ONLY: ``direction`` is INBOUND for what comes from ``region``, OUTBOUND for what goes there."""
    message = f"the trust with region {region} lets only reads pass"
    return reasons.region_reads_only(message, region=region, direction=direction, rule="grade")


def trust(check: Check) -> Stage:
    """Builds the stage. Suspending a region so stops also the calls under tokens that were given out before.

    So does narrowing it to reads: what changes something is refused, whatever the token holds.
    """

    async def require(method: Method, region: str) -> None:
        if await check(region) and method.writes:
            raise reads_only(region, "INBOUND")

    def stage(method: Method, handler: Handler) -> Handler:
        async def with_trust(request: Any, call: Call) -> Message:
            if call.actor.region:
                await require(method, call.actor.region)
                if method.descriptor.client_streaming:
                    request = asked_again(request, lambda: require(method, call.actor.region))
            return await handler(request, call)

        return with_trust

    return stage
