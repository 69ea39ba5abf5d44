"""Stage 4: keeps every call within its deadline, with a margin to say so: too little to begin is not the same as too slow."""

import asyncio

from google.protobuf.message import Message

from libs.errors import reasons
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method

_LONGEST_SECONDS = 3600.0
_MARGIN_SECONDS = 0.02
_LEAST_SECONDS = 0.05


def seconds_for(method: Method, remaining: float | None) -> float:
    """How long a call may take whose caller gives it ``remaining`` seconds, or does not say (None)."""
    if remaining is None:
        return method.seconds
    streams = method.descriptor.client_streaming or method.descriptor.server_streaming
    return min(remaining, _LONGEST_SECONDS if streams else method.seconds)


def deadline(method: Method, handler: Handler) -> Handler:
    """Gives a call the time that its contract says, or the caller where that is less; refuses one that has too little left.

    A stream takes what its caller gives it: the bytes come at their pace.
    """

    async def with_deadline(request: object, call: Call) -> Message:
        remaining: float | None = call.context.time_remaining()  # the stubs do not know that it may be None
        seconds = seconds_for(method, remaining)
        if seconds < _LEAST_SECONDS:
            raise reasons.deadline_too_short("too little time is left to begin")
        try:
            async with asyncio.timeout(seconds - _MARGIN_SECONDS):
                return await handler(request, call)
        except TimeoutError as error:
            # The caller gave time; that it was not enough is nothing that more of it would surely mend.
            raise reasons.not_done_in_time(f"{method.name} did not end in time") from error

    return with_deadline
