"""RatingService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.outgoing import Outgoing
from services.cases.usecases.results import Ratings
from tongban.cases.v1 import rating_service_pb2 as pb
from tongban.cases.v1.rating_service_pb2_grpc import RatingServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class RatingServicer(RatingServiceServicer):
    """Serves ``tongban.cases.v1.RatingService``."""

    def __init__(self, ratings: Ratings, outgoing: Outgoing, home: str) -> None:
        self._ratings = ratings
        self._outgoing = outgoing
        self._home = home

    async def CreateRating(self, request: pb.CreateRatingRequest, context: Context) -> pb.Rating:
        """Rates a case, of this region or of another."""
        return await self._create(request)

    async def GetRating(self, request: pb.GetRatingRequest, context: Context) -> pb.Rating:
        """Gets a rating."""
        return await self._ratings.get(request)

    async def _create(self, request: pb.CreateRatingRequest) -> pb.Rating:
        name = request.case_name.removeprefix(f"//{self._home}/")
        if name.startswith("//"):
            return await self._outgoing.rate(command_of(request), request)
        return await self._ratings.create(command_of(request), request)
