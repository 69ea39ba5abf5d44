"""PresentationService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.license.usecases.presentations import Presentations
from tongban.license.v1 import presentation_service_pb2 as pb
from tongban.license.v1.presentation_service_pb2_grpc import PresentationServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PresentationServicer(PresentationServiceServicer):
    """Serves ``tongban.license.v1.PresentationService``."""

    def __init__(self, presentations: Presentations) -> None:
        self._presentations = presentations

    async def CreatePresentation(
        self, request: pb.CreatePresentationRequest, context: Context
    ) -> pb.CreatePresentationResponse:
        """Makes a presentation and gives out its code."""
        return await self._presentations.create(command_of(request), request)

    async def RedeemPresentation(
        self, request: pb.RedeemPresentationRequest, context: Context
    ) -> pb.RedeemPresentationResponse:
        """Redeems a presentation."""
        return await self._presentations.redeem(command_of(request), request)
