"""What fakes of neighbours answer with, where they do not answer as asked."""

import asyncio
from typing import Any

import grpc

from libs.errors import TongbanError
from libs.rpc import status


async def refuse(context: Any, error: TongbanError) -> None:
    """Refuses a call as our services do."""
    details = status.to_status(error).SerializeToString()
    await context.abort(status.grpc_code(error), error.message, ((status.DETAILS_KEY, details),))


async def instead(said: Any, context: Any) -> bytes:
    """Answers with what a test has said: after an event, with an error, a bare status, a message or its bytes."""
    if isinstance(said, asyncio.Event):
        await said.wait()
    if isinstance(said, TongbanError):
        await refuse(context, said)
    if isinstance(said, grpc.StatusCode):
        await context.abort(said, "")
    return said if isinstance(said, bytes) else bytes(said.SerializeToString())
