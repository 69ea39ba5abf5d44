"""MountService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.sharing.usecases.mounts import Mounts
from tongban.sharing.v1 import mount_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as resources
from tongban.sharing.v1.mount_service_pb2_grpc import MountServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class MountServicer(MountServiceServicer):
    """Serves ``tongban.sharing.v1.MountService``."""

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts

    async def CreateMount(self, request: pb.CreateMountRequest, context: Context) -> resources.Mount:
        """Mounts a table."""
        return await self._mounts.create(request)

    async def GetMount(self, request: pb.GetMountRequest, context: Context) -> resources.Mount:
        """Gets a mount."""
        return await self._mounts.get(request)

    async def CheckMount(self, request: pb.CheckMountRequest, context: Context) -> resources.Mount:
        """Looks whether the table fits."""
        return await self._mounts.check(request)
