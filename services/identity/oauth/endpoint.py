"""The token endpoint, and what is published beside it: discovery and keys."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.observability.net import App, net
from libs.rpc.stages.validation import check
from services.identity.core.answering import Answering, Json, Serve
from services.identity.core.claims import Claims
from services.identity.core.client_rules import Client, ClientAuthMethod
from services.identity.core.codec import TOKEN_PATH
from services.identity.core.oauth_errors import NOT_STORED, OAuthRefusal, invalid_request
from services.identity.core.parts import Parts
from services.identity.core.token_form import JWT_BEARER, TokenForm
from services.identity.core.token_records import TokenRequest
from services.identity.oauth.discovery import CLIENT_CREDENTIALS, TOKEN_EXCHANGE, document
from services.identity.oauth.grants import TokenGrants
from services.identity.tokens.service import TokenExchange
from tongban.identity.v1 import token_service_pb2 as pb

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


def audiences_of(parts: Parts) -> tuple[str, ...]:
    """Returns what clients' assertions may be for: the issuer, or the token endpoint (RFC 7523, 3)."""
    issuer = parts.codec.issuer
    by_certificate = (parts.mtls_url, f"{parts.mtls_url}{TOKEN_PATH}") if parts.mtls_url else ()
    return (issuer, f"{issuer}{TOKEN_PATH}", f"{parts.base_url}{TOKEN_PATH}", *by_certificate)


class OAuthEndpoints:
    """What the region offers over HTTP: the token endpoint, with grants of its own and those that it is given; what is published."""

    def __init__(
        self,
        parts: Parts,
        exchange: TokenExchange,
        answering: Answering,
        grants: Mapping[str, Serve],
        routes: Sequence[Route],
    ) -> None:
        codec = parts.codec
        self._answering = answering
        self._proofs = parts.proofs
        self._routes = routes
        self._codec = codec
        self._exchange = exchange
        self._grants = TokenGrants(parts, answering.authentication)
        self._document = document(codec.issuer, parts.base_url, tuple(grants), parts.mtls_url)
        self._by_grant: dict[str, Serve] = {
            CLIENT_CREDENTIALS: self._client_credentials,
            JWT_BEARER: self._jwt_bearer,
            TOKEN_EXCHANGE: self._token_exchange,
            **grants,
        }

    def app(self) -> App:
        """Returns the application."""
        routes = [
            Route(TOKEN_PATH, self._answering.by("token", self._token), methods=["POST"]),
            *self._routes,
            Route("/.well-known/jwks.json", self.jwks),
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/.well-known/oauth-authorization-server", self.discovery),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _not_served, Exception: _failed})
        app.router.redirect_slashes = False
        return net(app, lambda _correlation_id: _server_error().response())

    async def _token(self, form: TokenForm, asked: TokenRequest) -> Response:
        """Gives a token (RFC 6749, 3.2)."""
        serve = self._by_grant.get(form.required("grant_type"))
        if serve is None:
            raise OAuthRefusal("unsupported_grant_type", "this grant type is not offered")
        client = await self._answering.client(form, asked)
        # Its receipts are those of the request that is answered.
        asked = replace(asked, key=await self._proofs.bound(form.seen))
        return JSONResponse(await serve(form, asked, client), headers=NOT_STORED)

    async def _client_credentials(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        if client is None:
            raise OAuthRefusal("invalid_client", "the client must authenticate", status=401)
        return self._answer(await self._grants.for_client(client, form.get("scope"), asked))

    async def _jwt_bearer(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        made = await self._grants.for_asserted(
            form.required("assertion"), form.get("scope"), asked, form.get("substitution")
        )
        if client is not None and made.client_id != client.id:
            raise invalid_request("the assertion was signed by another client than the one that authenticates")
        return self._answer(made)

    def _answer(self, claims: Claims) -> Json:
        return {
            "access_token": self._codec.encode(claims),
            "token_type": claims.token_type,
            "expires_in": claims.lifetime,
            "scope": " ".join(claims.scope),
        }

    async def _token_exchange(self, form: TokenForm, asked: TokenRequest, client: Client | None) -> Json:
        request = pb.ExchangeTokenRequest(**{name: form.get(name) for name in _EXCHANGE_FIELDS})
        check(request)
        # An assertion of the client's key that is good once says as much of this form as a signature would.
        signer = client.id if client and client.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT else ""
        made = await self._exchange.exchange(request, replace(asked, signer=signer))
        return {
            "access_token": made.access_token,
            "issued_token_type": made.issued_token_type,
            "token_type": made.token_type,
            "expires_in": made.expires_in,
            "scope": made.scope,
        }

    async def jwks(self, _request: Request) -> Response:
        """Publishes the keys that sign our tokens (RFC 7517)."""
        return JSONResponse({"keys": await self._codec.keys.fresh()}, headers=_KEYS_KEPT)

    async def discovery(self, _request: Request) -> Response:
        """Publishes what there is (RFC 8414, OpenID Connect Discovery 1.0)."""
        return JSONResponse(self._document, headers=_KEYS_KEPT)
