"""Where Envoy asks whether a signed request is good, before any service sees it: the whole request, under ``PREFIX``.

No route of the gateway leads here from outside: of this server only ``/oauth/`` and ``/.well-known/`` have one.
"""

import base64
from urllib.parse import quote

from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from libs.access.bound_keys import brought
from libs.errors import TongbanError, reasons
from libs.observability import metrics
from libs.observability.logs import logger
from libs.rpc import languages, status
from libs.rpc.call import SIGNER
from libs.security.message_signatures import HttpRequest
from libs.security.tokens import TokenVerifier
from services.identity.core.client_rules import ClientState
from services.identity.core.clients import find_client
from services.identity.core.parts import Parts
from services.identity.signatures import judging

PREFIX = "/internal/signatures"
_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_log = logger(__name__)


class SignatureEndpoint:
    """Judges signed requests: 200 with who signed, or why not."""

    def __init__(self, parts: Parts, verifier: TokenVerifier) -> None:
        self._parts = parts
        self._verifier = verifier
        self._scheme = parts.base_url.partition("://")[0]

    def routes(self) -> list[Route]:
        """What is served here."""
        return [Route(PREFIX + "{rest:path}", self._judge, methods=list(_VERBS))]

    async def _judge(self, request: Request) -> Response:
        try:
            # Who brings no good token is not read further.
            client = await self._client(request.headers.get("authorization", ""))
            await self._check(client, await self._read(request))
        except TongbanError as error:
            metrics.CALLS.labels("signatures", error.reason).inc()
            _log.info("signature refused", reason=error.reason, rule=error.metadata.get("rule", ""))
            return _refusal(request, error)
        metrics.CALLS.labels("signatures", "OK").inc()
        return Response(None, 200, {SIGNER: client})

    async def _read(self, request: Request) -> HttpRequest:
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
        return HttpRequest(
            method=request.method,
            scheme=self._scheme,
            authority=request.headers.get("host", ""),
            target=path.removeprefix(PREFIX) + (f"?{query}" if query else ""),
            headers=request.headers,
            body=await request.body(),
        )

    async def _client(self, authorization: str) -> str:
        """Returns the client whose token a request brings; raises Unauthenticated TOKEN_MISSING, TOKEN_INVALID."""
        scheme, token = brought(authorization)
        if not scheme:
            raise reasons.token_missing("whose keys are asked of the token: a signed request brings one")
        # Whether a bound token's key is proven the service looks at, which is the one that uses the proof up.
        return (await self._verifier.verify(token)).client

    async def _check(self, name: str, request: HttpRequest) -> None:
        """Checks that a client signed a request now, and uses that up.

        Raises:
            Unauthenticated: SIGNATURE_INVALID, SIGNATURE_REPLAYED.
            Unavailable: DEPENDENCY_UNAVAILABLE; then nothing may be taken.
        """
        now = self._parts.wall.now()
        async with self._parts.database.read() as connection:
            client = await find_client(connection, name)
        signature = judging.read_signature(request.headers)
        stands = client is not None and client.state_at(now) is ClientState.ACTIVE
        judging.check_signed(request, signature, client.keys_at(now) if client and stands else (), now)
        left = signature.created + judging.OLDEST_SECONDS - now.timestamp()
        if not await self._parts.once.take("signature", name, signature.nonce, left):
            raise reasons.signature_replayed("a request with this nonce was taken before")


def _refusal(request: Request, error: TongbanError) -> Response:
    """A refusal as Envoy hands it on; that something is away it says itself, in the words that it has for that."""
    if error.code.http >= 500:
        return Response(None, 503)
    told = status.to_status(error, languages.preferred(request.headers.get(languages.HEADER, "")))
    if not request.headers.get("content-type", "").startswith("application/grpc"):
        return JSONResponse(json_format.MessageToDict(told), error.code.http)
    details = base64.b64encode(told.SerializeToString()).decode().rstrip("=")
    headers = {
        "grpc-status": str(told.code),
        "grpc-message": quote(told.message, safe=" ,:;'()/"),
        status.DETAILS_KEY: details,
    }
    return Response(None, error.code.http, headers)
