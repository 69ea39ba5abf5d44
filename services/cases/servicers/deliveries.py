"""DeliveryService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.cases.usecases.results import Deliveries
from tongban.cases.v1 import delivery_service_pb2 as pb
from tongban.cases.v1.delivery_service_pb2_grpc import DeliveryServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class DeliveryServicer(DeliveryServiceServicer):
    """Serves ``tongban.cases.v1.DeliveryService``."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    async def CreateDelivery(self, request: pb.CreateDeliveryRequest, context: Context) -> pb.Delivery:
        """Begins a delivery."""
        return await self._deliveries.create(command_of(request), request)

    async def ConfirmDelivery(self, request: pb.ConfirmDeliveryRequest, context: Context) -> pb.Delivery:
        """Notes that a result arrived."""
        return await self._deliveries.confirm(command_of(request), request)

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Context) -> pb.Delivery:
        """Gets a delivery."""
        return await self._deliveries.get(request)
