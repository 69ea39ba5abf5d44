"""MandateService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.mandates import Mandates
from tongban.identity.v1 import mandate_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.mandate_service_pb2_grpc import MandateServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class MandateServicer(MandateServiceServicer):
    """Serves ``tongban.identity.v1.MandateService``."""

    def __init__(self, mandates: Mandates) -> None:
        self._mandates = mandates

    async def CreateMandate(self, request: pb.CreateMandateRequest, context: Context) -> resources.Mandate:
        """Gives a mandate."""
        return await self._mandates.create(command_of(request), request.mandate)

    async def AcceptMandate(self, request: pb.AcceptMandateRequest, context: Context) -> resources.Mandate:
        """Accepts a mandate."""
        return await self._mandates.accept(command_of(request), request)

    async def RevokeMandate(self, request: pb.RevokeMandateRequest, context: Context) -> resources.Mandate:
        """Ends a mandate."""
        return await self._mandates.revoke(command_of(request), request)

    async def GetMandate(self, request: pb.GetMandateRequest, context: Context) -> resources.Mandate:
        """Gets a mandate."""
        return await self._mandates.get(request)

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Context) -> pb.ListMandatesResponse:
        """Lists mandates."""
        return await self._mandates.list(request)

    async def CheckMandate(self, request: pb.CheckMandateRequest, context: Context) -> pb.CheckMandateResponse:
        """Says whether a person may act for a principal."""
        return await self._mandates.check(request)
