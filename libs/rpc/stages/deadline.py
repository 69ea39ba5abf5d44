"""Stage 4: keeps every call within its deadline, with a margin to say so: too little to begin is not the same as too slow.

A call that streams has no deadline but its caller's: it ends where it is silent for too long.
"""

import asyncio

from google.protobuf.message import Message

from libs.errors import reasons
from libs.rpc.call import Call, Handler, Stage
from libs.rpc.contract import Method
from libs.rpc.streams import StreamPace

_MARGIN_SECONDS = 0.02
_LEAST_SECONDS = 0.05


def seconds_for(method: Method, remaining: float | None) -> float:
    """How long a call may take whose caller gives it ``remaining`` seconds, or does not say (None); of a stream that alone."""
    if remaining is None:
        return method.seconds
    return remaining if method.streams else min(remaining, method.seconds)


def _seconds(method: Method, call: Call) -> float:
    remaining: float | None = call.context.time_remaining()  # the stubs do not know that it may be None
    seconds = seconds_for(method, remaining)
    if seconds < _LEAST_SECONDS:
        raise reasons.deadline_too_short("too little time is left to begin")
    return seconds


def deadline(idle_seconds: float) -> Stage:
    """Builds the stage; a stream may be silent for ``idle_seconds``."""

    def stage(method: Method, handler: Handler) -> Handler:
        async def with_deadline(request: object, call: Call) -> Message:
            seconds = _seconds(method, call)
            try:
                async with asyncio.timeout(seconds - _MARGIN_SECONDS):
                    return await handler(request, call)
            except TimeoutError as error:
                # The caller gave time; that it was not enough is nothing that more of it would surely mend.
                raise reasons.not_done_in_time(f"{method.name} did not end in time") from error

        async def with_pace(request: object, call: Call) -> Message:
            _seconds(method, call)
            call.pace = StreamPace(idle_seconds)
            async with call.pace.kept():
                return await handler(request, call)

        return with_pace if method.streams else with_deadline

    return stage
