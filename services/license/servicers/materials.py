"""MaterialService: converts and calls, nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from services.license.usecases.materials import Materials
from tongban.license.v1 import material_service_pb2 as pb
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class MaterialServicer(MaterialServiceServicer):
    """Serves ``tongban.license.v1.MaterialService``."""

    def __init__(self, materials: Materials) -> None:
        self._materials = materials

    async def UploadMaterial(
        self, request_iterator: AsyncIterator[pb.UploadMaterialRequest], context: Context
    ) -> pb.Material:
        """Takes a file."""
        return await self._materials.upload(request_iterator)

    async def GetMaterial(self, request: pb.GetMaterialRequest, context: Context) -> pb.Material:
        """Gets what is known of a material."""
        return await self._materials.get(request)

    async def DownloadMaterial(
        self, request: pb.DownloadMaterialRequest, context: Context
    ) -> AsyncIterator[pb.DownloadMaterialResponse]:
        """Hands out the bytes."""
        async for part in self._materials.download(request):
            yield part
