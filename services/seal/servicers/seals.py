"""SealService: converts and calls, nothing else."""

from typing import Any

import grpc
from google.api import httpbody_pb2

from libs.db.command import command_of
from services.seal.usecases.seals import Seals
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as pb
from tongban.seal.v1.seal_service_pb2_grpc import SealServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SealServicer(SealServiceServicer):
    """Serves ``tongban.seal.v1.SealService``."""

    def __init__(self, seals: Seals) -> None:
        self._seals = seals

    async def MakeSeal(self, request: pb.MakeSealRequest, context: Context) -> resources.Seal:
        """Makes a seal."""
        return await self._seals.make(command_of(request), request)

    async def RevokeSeal(self, request: pb.RevokeSealRequest, context: Context) -> resources.Seal:
        """Ends a seal."""
        return await self._seals.revoke(command_of(request), request)

    async def GetSeal(self, request: pb.GetSealRequest, context: Context) -> resources.Seal:
        """Gets a seal with its structure."""
        return await self._seals.get(request.name)

    async def ListSeals(self, request: pb.ListSealsRequest, context: Context) -> pb.ListSealsResponse:
        """Lists seals."""
        return await self._seals.page(request)

    async def GetSealPicture(self, request: pb.GetSealPictureRequest, context: Context) -> httpbody_pb2.HttpBody:
        """Gets a seal's picture as a file."""
        media_type, data = await self._seals.picture(request)
        return httpbody_pb2.HttpBody(content_type=media_type, data=data)
