"""CatalogService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.sharing.usecases.catalog import Catalog
from tongban.sharing.v1 import catalog_service_pb2 as pb
from tongban.sharing.v1 import resources_pb2 as resources
from tongban.sharing.v1.catalog_service_pb2_grpc import CatalogServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class CatalogServicer(CatalogServiceServicer):
    """Serves ``tongban.sharing.v1.CatalogService``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def CreateResource(self, request: pb.CreateResourceRequest, context: Context) -> resources.Resource:
        """Drafts a catalogue entry."""
        return await self._catalog.create(request)

    async def GetResource(self, request: pb.GetResourceRequest, context: Context) -> resources.Resource:
        """Gets a catalogue entry."""
        return await self._catalog.get(request)

    async def ListResources(self, request: pb.ListResourcesRequest, context: Context) -> pb.ListResourcesResponse:
        """Lists catalogue entries."""
        return await self._catalog.list(request)

    async def SubmitResource(self, request: pb.SubmitResourceRequest, context: Context) -> resources.Resource:
        """Hands a draft in."""
        return await self._catalog.submit(request)

    async def PublishResource(self, request: pb.PublishResourceRequest, context: Context) -> resources.Resource:
        """Publishes an entry."""
        return await self._catalog.publish(request)
