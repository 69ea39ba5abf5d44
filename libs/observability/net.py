"""The net under an HTTP application: what nobody expected becomes a fixed answer, and one log line without its words."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from libs.observability.logs import logger, place_of
from libs.observability.tracing import parse_traceparent

_log = logger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
Answer = Callable[[str], App]
"""Makes the answer to a request that failed; its argument is the correlation id."""


def net(app: App, answer: Answer) -> App:
    """Wraps an ASGI application: an exception never reaches the server, which would log its words and its values."""

    async def caught(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 - this is the net
            correlation_id, _ = parse_traceparent(_traceparent(scope))
            _log.error("unexpected", path=scope.get("path", ""), correlation_id=correlation_id, **place_of(error))
            if not begun:
                await answer(correlation_id)(scope, receive, send)

    return caught


def _traceparent(scope: MutableMapping[str, Any]) -> str:
    found = dict(scope.get("headers", ())).get(b"traceparent", b"")
    return str(found.decode("latin-1"))
