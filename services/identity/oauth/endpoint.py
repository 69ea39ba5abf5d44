"""The token endpoint, and what is published beside it: discovery and keys."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.crypto.sm3 import sm3
from libs.errors import TongbanError
from libs.observability import metrics
from libs.observability.logs import logger
from libs.observability.net import App, net
from libs.observability.tracing import Tracing
from libs.rpc.call import FORWARDED, gateway_saw
from libs.rpc.receipts import RECEIPT
from libs.rpc.stages.validation import check
from services.identity.core.claims import Claims
from services.identity.core.client_rules import Client
from services.identity.core.codec import TOKEN_PATH
from services.identity.core.parts import Parts
from services.identity.core.token_records import TokenRequest
from services.identity.oauth.authentication import ClientAuthentication
from services.identity.oauth.discovery import CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE, document
from services.identity.oauth.errors import NOT_STORED, OAuthRefusal, invalid_client, invalid_request, refused_grant
from services.identity.oauth.form import ClientCredentials, TokenForm, credentials, read_form
from services.identity.oauth.grants import TokenGrants
from services.identity.tokens.service import TokenExchange
from tongban.identity.v1 import token_service_pb2 as pb

_log = logger(__name__)
_EXCHANGE_FIELDS = (
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "audience",
    "scope",
    "on_behalf_of",
    "mandate",
    "transfer",
)
_KEYS_KEPT = {"cache-control": "public, max-age=300"}

Json = dict[str, Any]
Serve = Callable[[TokenForm, TokenRequest, Client | None], Awaitable[Json]]


def _server_error() -> OAuthRefusal:
    return OAuthRefusal("server_error", "an internal error occurred", status=500)


async def _failed(_request: Request, _error: Exception) -> Response:
    return _server_error().response()


async def _not_served(_request: Request, error: Exception) -> Response:
    """What is at no path of ours, or there for another verb, in the words of the rest (RFC 6749, 5.2)."""
    assert isinstance(error, HTTPException)
    words = {404: "nothing is served at this path", 405: "this path does not take this verb"}
    description = words.get(error.status_code, "this can't be served")
    headers = dict(error.headers or {})
    return OAuthRefusal("invalid_request", description, status=error.status_code, headers=headers).response()


def _with_receipt(answer: Response, asked: TokenRequest) -> Response:
    """Adds the receipt of the record that says how it ended, as answers of the JSON edge carry theirs (decision 0045)."""
    if asked.receipts:
        encoded = base64.b64encode(asked.receipts[-1].SerializeToString()).decode().rstrip("=")
        answer.headers[RECEIPT.removesuffix("-bin")] = encoded
    return answer


class OAuthEndpoints:
    """What the region offers over HTTP."""

    def __init__(self, parts: Parts, exchange: TokenExchange, tracing: Tracing) -> None:
        codec = parts.codec
        self._tracing = tracing
        self._codec = codec
        self._exchange = exchange
        audiences = (codec.issuer, f"{codec.issuer}{TOKEN_PATH}", f"{parts.base_url}{TOKEN_PATH}")
        self._authentication = ClientAuthentication(parts, audiences)
        self._grants = TokenGrants(parts, self._authentication)
        self._document = document(codec.issuer, parts.base_url)
        self._by_grant: dict[str, Serve] = {
            CLIENT_CREDENTIALS: self._client_credentials,
            JWT_BEARER: self._jwt_bearer,
            TOKEN_EXCHANGE: self._token_exchange,
        }

    def app(self) -> App:
        """Returns the application."""
        routes = [
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/.well-known/jwks.json", self.jwks),
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/.well-known/oauth-authorization-server", self.discovery),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _not_served, Exception: _failed})
        app.router.redirect_slashes = False
        return net(app, lambda _correlation_id: _server_error().response())

    async def token(self, request: Request) -> Response:
        """Gives a token (RFC 6749, 3.2)."""
        with self._tracing.span("POST /oauth/token", SpanKind.SERVER, request.headers.get("traceparent", "")):
            address = gateway_saw(request.headers.get(FORWARDED, ""))
            asked = TokenRequest(b"", address=address)
            try:
                form = await read_form(request)
                asked = TokenRequest(sm3(form.body), address=address)
                answer = await self._serve(form, asked)
            except OAuthRefusal as refusal:
                metrics.CALLS.labels("oauth.token", refusal.error).inc()
                _log.info("no token", error=refusal.error, reason=refusal.reason, description=refusal.description)
                return _with_receipt(refusal.response(), asked)
            except Exception:
                metrics.CALLS.labels("oauth.token", "server_error").inc()
                raise
            metrics.CALLS.labels("oauth.token", "OK").inc()
            return _with_receipt(JSONResponse(answer, headers=NOT_STORED), asked)

    async def _serve(self, form: TokenForm, asked: TokenRequest) -> Json:
        serve = self._by_grant.get(form.required("grant_type"))
        if serve is None:
            raise OAuthRefusal("unsupported_grant_type", "this grant type is not offered")
        client = await self._client(credentials(form), asked.address or "")
        try:
            return await serve(form, asked, client)
        except TongbanError as error:
            raise refused_grant(error) from error

    async def _client(self, shown: ClientCredentials | None, address: str) -> Client | None:
        if shown is None:
            return None
        try:
            if shown.assertion:
                return await self._authentication.by_assertion(shown.assertion, shown.client_id, address)
            return await self._authentication.by_secret(shown.client_id, shown.secret, address)
        except TongbanError as error:
            raise invalid_client(error, basic=shown.basic) from error

    async def _client_credentials(self, form: TokenForm, _asked: TokenRequest, client: Client | None) -> Json:
        if client is None:
            raise OAuthRefusal("invalid_client", "the client must authenticate", status=401)
        return self._answer(self._grants.for_client(client, form.get("scope")))

    async def _jwt_bearer(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        made = await self._grants.for_asserted(form.required("assertion"), form.get("scope"), asked)
        if client is not None and made.client_id != client.id:
            raise invalid_request("the assertion was signed by another client than the one that authenticates")
        return self._answer(made)

    def _answer(self, claims: Claims) -> Json:
        return {
            "access_token": self._codec.encode(claims),
            "token_type": "Bearer",
            "expires_in": claims.lifetime,
            "scope": " ".join(claims.scope),
        }

    async def _token_exchange(self, form: TokenForm, asked: TokenRequest, _client: Client | None) -> Json:
        request = pb.ExchangeTokenRequest(**{name: form.get(name) for name in _EXCHANGE_FIELDS})
        check(request)
        made = await self._exchange.exchange(request, asked)
        return {
            "access_token": made.access_token,
            "issued_token_type": made.issued_token_type,
            "token_type": made.token_type,
            "expires_in": made.expires_in,
            "scope": made.scope,
        }

    async def jwks(self, _request: Request) -> Response:
        """Publishes the keys that sign our tokens (RFC 7517)."""
        return JSONResponse({"keys": self._codec.keys.public()}, headers=_KEYS_KEPT)

    async def discovery(self, _request: Request) -> Response:
        """Publishes what there is (RFC 8414, OpenID Connect Discovery 1.0)."""
        return JSONResponse(self._document, headers=_KEYS_KEPT)
