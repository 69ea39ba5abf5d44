"""Stage 2: counts and times every call and writes one line about it."""

import time

from google.protobuf.message import Message

from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method

_log = logger(__name__)


def access_log(method: Method, handler: Handler) -> Handler:
    """Records method, caller, code, reason and duration; never a message or a name of a person."""
    seconds = metrics.SECONDS.labels(method.name)
    good = metrics.CALLS.labels(method.name, "OK")

    async def with_log(request: object, call: Call) -> Message:
        try:
            response = await handler(request, call)
        except TongbanError as error:
            metrics.CALLS.labels(method.name, error.code.name).inc()
            elapsed = time.monotonic() - call.started
            seconds.observe(elapsed)
            _log.info(
                "call",
                method=method.name,
                caller=call.actor.subject,
                peer=sorted(call.peers),
                code=error.code.name,
                reason=error.reason,
                ms=round(elapsed * 1000, 2),
            )
            raise
        elapsed = time.monotonic() - call.started
        good.inc()
        seconds.observe(elapsed)
        _log.debug("call", method=method.name, caller=call.actor.subject, code="OK", ms=round(elapsed * 1000, 2))
        return response

    return with_log
