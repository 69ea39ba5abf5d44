"""TokenService: exchanging tokens, tokens of our own services, what was withdrawn, and the keys that sign."""

from libs.access import rights, roles
from libs.crypto.sm3 import sm3
from libs.errors import reasons
from libs.rpc.call import Call
from libs.rpc.messages import moment_of
from libs.rpc.stages.caller import GATEWAY
from libs.security.possession import RequestSeen
from services.identity.core import issue
from services.identity.core.jwk import jwks_message
from services.identity.core.parts import Parts
from services.identity.core.scopes import narrow
from services.identity.core.token_records import TokenRequest
from services.identity.tokens.service import TokenExchange
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import token_service_pb2 as pb


class TokenApi:
    """Serves tokens over gRPC."""

    def __init__(self, parts: Parts, exchange: TokenExchange) -> None:
        self._parts = parts
        self._exchange = exchange

    async def exchange_token(self, request: pb.ExchangeTokenRequest, call: Call) -> pb.ExchangeTokenResponse:
        """Exchanges a token."""
        # A service of ours asks inside the region, with tokens that it was handed.
        outside = GATEWAY in call.peers
        seen = RequestSeen.of_call(call.metadata, call.method.path)
        # Of a token beside the request the key was proven already.
        key = (call.actor.bound_key or await self._parts.proofs.bound(seen)) if outside else ""
        asked = TokenRequest(sm3(call.received), call, call.address if outside else None, call.signer, key=key)
        return await self._exchange.exchange(request, asked)

    async def issue_service_token(
        self, request: pb.IssueServiceTokenRequest, call: Call
    ) -> pb.IssueServiceTokenResponse:
        """Gives the service that calls a token of its own; its certificate alone tells which one it is."""
        peers, codec = call.peers & rights.SERVICES, self._parts.codec
        if GATEWAY in call.peers or len(peers) != 1:
            raise reasons.peer_not_allowed("only a service of the region gets a token of its own")
        (name,) = peers
        made = issue.for_service(codec.issue(), name, narrow(roles.of_service(name), request.scope))
        return pb.IssueServiceTokenResponse(
            access_token=codec.encode(made), expires_in=made.lifetime, scope=" ".join(made.scope)
        )

    async def read_withdrawals(self, request: pb.ReadWithdrawalsRequest, call: Call) -> pb.ReadWithdrawalsResponse:
        """Tells what no longer stands behind tokens."""
        since = moment_of(request.start_time, "since") if request.HasField("start_time") else None
        return await self._parts.withdrawals.changed(since)

    async def read_withdrawn_assertions(
        self, request: pb.ReadWithdrawnAssertionsRequest, call: Call
    ) -> pb.ReadWithdrawnAssertionsResponse:
        """Tells a region which of the assertions that it was given no longer stand."""
        return await self._parts.given.fallen(call.actor.region, request.cursor)

    async def get_jwks(self, request: pb.GetJwksRequest, call: Call) -> resources.JsonWebKeySet:
        """Gets the keys that sign our tokens."""
        return jwks_message(await self._parts.codec.keys.fresh())
