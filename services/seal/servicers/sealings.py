"""SealingService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.seal.usecases.sealings import Sealings
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import sealing_service_pb2 as pb
from tongban.seal.v1.sealing_service_pb2_grpc import SealingServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SealingServicer(SealingServiceServicer):
    """Serves ``tongban.seal.v1.SealingService``."""

    def __init__(self, sealings: Sealings) -> None:
        self._sealings = sealings

    async def SealDocument(self, request: pb.SealDocumentRequest, context: Context) -> pb.SealDocumentResponse:
        """Seals a document."""
        return await self._sealings.seal_document(command_of(request), request)

    async def SealDigests(self, request: pb.SealDigestsRequest, context: Context) -> pb.SealDigestsResponse:
        """Seals digests."""
        return await self._sealings.seal_digests(command_of(request), request)

    async def GetSealing(self, request: pb.GetSealingRequest, context: Context) -> resources.Sealing:
        """Gets one use of a seal."""
        return await self._sealings.get(request.name)

    async def ListSealings(self, request: pb.ListSealingsRequest, context: Context) -> pb.ListSealingsResponse:
        """Lists uses of seals."""
        return await self._sealings.page(request)
