"""StatisticsService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.cases.usecases.statistics import Statistics
from tongban.cases.v1 import statistics_service_pb2 as pb
from tongban.cases.v1.statistics_service_pb2_grpc import StatisticsServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class StatisticsServicer(StatisticsServiceServicer):
    """Serves ``tongban.cases.v1.StatisticsService``."""

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics

    async def QueryStatistics(self, request: pb.QueryStatisticsRequest, context: Context) -> pb.QueryStatisticsResponse:
        """Counts over cases."""
        return await self._statistics.query(request)
