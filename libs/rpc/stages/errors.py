"""Stage 3: lets only errors of the family through; anything else becomes a fixed text with a correlation id."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from google.protobuf.message import Message

from libs.errors import Internal, TongbanError
from libs.observability.logs import logger, place_of
from libs.rpc.call import Call, Handler
from libs.rpc.contract import Method

_log = logger(__name__)


def _hidden(method: Method, call: Call, error: Exception) -> Internal:
    _log.error("unexpected", method=method.name, correlation_id=call.trace_id, **place_of(error))
    return Internal("INTERNAL", "an internal error occurred", correlation_id=call.trace_id)


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
            raise _hidden(method, call, error) from error

    return with_errors


async def errors_of_stream(
    method: Method, messages: AsyncIterator[Message], call: Call
) -> AsyncGenerator[Message, None]:
    """Does the same for what goes wrong after the first message of an answer that is streamed."""
    try:
        async for message in messages:
            yield message
    except (TongbanError, asyncio.CancelledError, GeneratorExit):
        raise
    except Exception as error:
        raise _hidden(method, call, error) from error
