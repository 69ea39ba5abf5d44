"""UseService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.license.usecases.uses import Uses
from tongban.license.v1 import use_service_pb2 as pb
from tongban.license.v1.use_service_pb2_grpc import UseServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class UseServicer(UseServiceServicer):
    """Serves ``tongban.license.v1.UseService``."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses

    async def ListUses(self, request: pb.ListUsesRequest, context: Context) -> pb.ListUsesResponse:
        """Lists uses, newest first."""
        return await self._uses.page(request)
