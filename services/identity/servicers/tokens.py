"""TokenService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.identity.tokens.jwk import jwks_message
from services.identity.tokens.signing_keys import SigningKeys
from services.identity.usecases.exchange import Exchange
from services.identity.usecases.grants import Grants
from services.identity.usecases.withdrawals import TokenWithdrawals
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import token_service_pb2 as pb
from tongban.identity.v1.token_service_pb2_grpc import TokenServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class TokenServicer(TokenServiceServicer):
    """Serves ``tongban.identity.v1.TokenService``."""

    def __init__(self, exchange: Exchange, grants: Grants, keys: SigningKeys, withdrawals: TokenWithdrawals) -> None:
        self._withdrawals = withdrawals
        self._exchange = exchange
        self._grants = grants
        self._keys = keys

    async def ExchangeToken(self, request: pb.ExchangeTokenRequest, context: Context) -> pb.ExchangeTokenResponse:
        """Exchanges a token."""
        return await self._exchange.exchange(request)

    async def IssueServiceToken(
        self, request: pb.IssueServiceTokenRequest, context: Context
    ) -> pb.IssueServiceTokenResponse:
        """Gives a service a token of its own."""
        return self._grants.for_service(request)

    async def ReadWithdrawals(self, request: pb.ReadWithdrawalsRequest, context: Context) -> pb.ReadWithdrawalsResponse:
        """Tells what no longer stands behind tokens."""
        return await self._withdrawals.read(request)

    async def GetJwks(self, request: pb.GetJwksRequest, context: Context) -> resources.JsonWebKeySet:
        """Gets the keys that sign our tokens."""
        return jwks_message(self._keys.public())
