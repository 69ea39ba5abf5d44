"""The identity service as sharing asks it: one trusted region, and by which documents people are known."""

# ruff: noqa: N802 - gRPC fixes the names of what a servicer serves
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from libs import outside
from libs.errors import PermissionDenied, not_found
from libs.rpc import status
from libs.rpc.server import server_credentials
from tests.support.backends import HOST, free_port
from tests.support.service import Ground
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2_grpc, region_service_pb2_grpc, resources_pb2, token_service_pb2_grpc
from tongban.identity.v1 import region_service_pb2 as regions
from tongban.identity.v1 import token_service_pb2 as tokens

NUMBERS = {"persons/00000000-0000-7000-8000-000000000001": "11010519491231002X"}
"""The documents of people, as identity knows them."""
USCC = "91340000MA2MT9Y48F"


class _Identity(
    region_service_pb2_grpc.RegionServiceServicer,
    token_service_pb2_grpc.TokenServiceServicer,
    account_service_pb2_grpc.AccountServiceServicer,
):
    """Our own identity service, as the contract has it: one trusted region, and an assertion to it."""

    def __init__(self, gateway_url: str) -> None:
        self.gateway_url = gateway_url

    async def ResolveRegion(self, request: regions.ResolveRegionRequest, context: Any) -> resources_pb2.Region:
        if request.name != "regions/320402":
            error = PermissionDenied("REGION_NOT_TRUSTED", "not on the trust list", region=request.name[8:])
            details = status.to_status(error).SerializeToString()
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "", ((status.DETAILS_KEY, details),))
        return resources_pb2.Region(name=request.name, anchor=resources_pb2.RegionAnchor(gateway_url=self.gateway_url))

    async def IssueServiceToken(self, request: Any, context: Any) -> tokens.IssueServiceTokenResponse:
        return tokens.IssueServiceTokenResponse(access_token="own", expires_in=600)

    async def ExchangeToken(self, request: tokens.ExchangeTokenRequest, context: Any) -> tokens.ExchangeTokenResponse:
        assert (request.subject_token, request.audience) == ("own", "//320402")
        return tokens.ExchangeTokenResponse(access_token="assertion", expires_in=60)

    async def RevealPerson(self, request: Any, context: Any) -> resources_pb2.Person:
        token = str(dict(context.invocation_metadata())["authorization"]).removeprefix("Bearer ")
        if outside.jwt_parts(token, 8192)[1]["sub"] != request.name:  # people see their own account alone
            error = not_found(request.name)
            details = status.to_status(error).SerializeToString()
            await context.abort(grpc.StatusCode.NOT_FOUND, "", ((status.DETAILS_KEY, details),))
        document = common_pb2.IdentityDocument(type_code="111", number=NUMBERS.get(request.name, "none"))
        return resources_pb2.Person(documents=[resources_pb2.HeldDocument(document=document)])

    async def GetOrganization(self, request: Any, context: Any) -> resources_pb2.Organization:
        return resources_pb2.Organization(name=request.name, uscc=USCC)


@asynccontextmanager
async def identity_beside(ground: Ground, gateway_url: str) -> AsyncIterator[str]:
    """Runs the fake identity service and yields its address."""
    identity = _Identity(gateway_url)  # type: ignore[abstract]  # only what is called here is served
    server = grpc.aio.server()
    region_service_pb2_grpc.add_RegionServiceServicer_to_server(identity, server)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(identity, server)
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(identity, server)
    address = f"{HOST}:{free_port()}"
    server.add_secure_port(address, server_credentials(ground.tls("identity")))
    await server.start()
    yield address
    await server.stop(None)
