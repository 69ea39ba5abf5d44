"""Stage 3: lets only errors of the family through; anything else becomes a fixed text with a correlation id."""

import asyncio

from google.protobuf.message import Message
from libs.errors import Internal, TongbanError
from libs.observability.logs import logger
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method

_log = logger(__name__)


def errors(method: Method, handler: Handler) -> Handler:
    """Hides what an unknown exception says: its words may hold data or tell of our insides."""

    async def with_errors(request: object, call: Call) -> Message:
        try:
            return await handler(request, call)
        except Internal as error:
            error.metadata.setdefault("correlation_id", call.trace_id)
            raise
        except (TongbanError, asyncio.CancelledError):
            raise
        except Exception as error:
            _log.error("unexpected", method=method.name, correlation_id=call.trace_id, exc_info=True)
            raise Internal("INTERNAL", "an internal error occurred", correlation_id=call.trace_id) from error

    return with_errors
