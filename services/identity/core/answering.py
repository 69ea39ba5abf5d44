"""How forms of clients are answered: by whom they were proven to come, in OAuth's words whatever happens, with the receipt."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response

from libs.crypto.sm3 import sm3
from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.observability.tracing import Tracing
from libs.rpc.call import FORWARDED, gateway_saw
from libs.rpc.receipts import RECEIPT
from services.identity.core.client_authentication import ClientAuthentication
from services.identity.core.client_rules import Client
from services.identity.core.oauth_errors import OAuthRefusal, invalid_client, refused_grant
from services.identity.core.token_form import TokenForm, credentials, read_form
from services.identity.core.token_records import TokenRequest

_log = logger(__name__)
Say = Callable[[TokenForm, TokenRequest], Awaitable[Response]]
"""Answers a form; raises OAuthRefusal."""
Json = dict[str, Any]
Serve = Callable[[TokenForm, TokenRequest, Client | None], Awaitable[Json]]
"""Gives a token for a form of the token endpoint and the client that authenticated by it, if one did; raises OAuthRefusal."""


class Answering:
    """Answers forms of clients.

    Attributes:
        authentication: how clients prove who they are.
    """

    def __init__(self, authentication: ClientAuthentication, tracing: Tracing) -> None:
        self.authentication = authentication
        self._tracing = tracing

    def by(self, name: str, say: Say) -> Callable[[Request], Awaitable[Response]]:
        """Returns what answers at `/oauth/<name>` by ``say``."""

        async def answered(request: Request) -> Response:
            with self._tracing.span(f"POST /oauth/{name}", SpanKind.SERVER, request.headers.get("traceparent", "")):
                address = gateway_saw(request.headers.get(FORWARDED, ""))
                asked = TokenRequest(b"", address=address)
                try:
                    form = await read_form(request)
                    asked = TokenRequest(sm3(form.body), address=address)
                    answer = await say(form, asked)
                except OAuthRefusal as refusal:
                    return with_receipt(_refused(name, refusal), asked)
                except TongbanError as error:
                    return with_receipt(_refused(name, refused_grant(error)), asked)
                except Exception:
                    metrics.CALLS.labels(f"oauth.{name}", "server_error").inc()
                    raise
                metrics.CALLS.labels(f"oauth.{name}", "OK").inc()
                return with_receipt(answer, asked)

        return answered

    async def client(self, form: TokenForm, asked: TokenRequest) -> Client | None:
        """Returns the client that authenticates by a form, None where none does; raises OAuthRefusal."""
        address = asked.address or ""
        shown = credentials(form)
        if shown is None:
            return None
        try:
            if shown.assertion:
                return await self.authentication.by_assertion(shown.assertion, shown.client_id, address)
            if shown.certificate:
                return await self.authentication.by_certificate(shown.client_id, shown.certificate, address)
            return await self.authentication.by_secret(shown.client_id, shown.secret, address)
        except TongbanError as error:
            raise invalid_client(error, basic=shown.basic) from error

    async def proven(self, form: TokenForm, asked: TokenRequest) -> Client:
        """Returns the client that authenticates by a form; raises OAuthRefusal where none does."""
        client = await self.client(form, asked)
        if client is None:
            raise OAuthRefusal("invalid_client", "the client must authenticate", status=401)
        return client


def _refused(name: str, refusal: OAuthRefusal) -> Response:
    metrics.CALLS.labels(f"oauth.{name}", refusal.error).inc()
    _log.info("refused", at=name, error=refusal.error, reason=refusal.reason, description=refusal.description)
    return refusal.response()


def with_receipt(answer: Response, asked: TokenRequest) -> Response:
    """Adds the receipt of the record that says how it ended, as answers of the JSON edge carry theirs (decision 0045)."""
    if asked.receipts:
        encoded = base64.b64encode(asked.receipts[-1].SerializeToString()).decode().rstrip("=")
        answer.headers[RECEIPT.removesuffix("-bin")] = encoded
    return answer
