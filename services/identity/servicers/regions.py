"""RegionService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.regions import TrustList
from tongban.identity.v1 import region_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.region_service_pb2_grpc import RegionServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class RegionServicer(RegionServiceServicer):
    """Serves ``tongban.identity.v1.RegionService``."""

    def __init__(self, regions: TrustList) -> None:
        self._regions = regions

    async def ProposeRegion(self, request: pb.ProposeRegionRequest, context: Context) -> resources.Region:
        """Enters a region."""
        return await self._regions.propose(command_of(request), request.region_code, request.region)

    async def ActivateRegion(self, request: pb.ActivateRegionRequest, context: Context) -> resources.Region:
        """Begins the trust."""
        return await self._regions.activate(command_of(request), request)

    async def SuspendRegion(self, request: pb.SuspendRegionRequest, context: Context) -> resources.Region:
        """Suspends the trust."""
        return await self._regions.suspend(command_of(request), request)

    async def ResumeRegion(self, request: pb.ResumeRegionRequest, context: Context) -> resources.Region:
        """Takes up the trust again."""
        return await self._regions.resume(command_of(request), request)

    async def EndRegion(self, request: pb.EndRegionRequest, context: Context) -> resources.Region:
        """Ends the trust."""
        return await self._regions.end(command_of(request), request)

    async def SetRegionKeys(self, request: pb.SetRegionKeysRequest, context: Context) -> resources.Region:
        """Replaces a region's anchor."""
        return await self._regions.set_keys(command_of(request), request)

    async def ApproveRegionKeys(self, request: pb.ApproveRegionKeysRequest, context: Context) -> resources.Region:
        """Stands behind a new anchor."""
        return await self._regions.approve_keys(command_of(request), request)

    async def GetRegion(self, request: pb.GetRegionRequest, context: Context) -> resources.Region:
        """Gets a region."""
        return await self._regions.get(request.name)

    async def ListRegions(self, request: pb.ListRegionsRequest, context: Context) -> pb.ListRegionsResponse:
        """Lists regions."""
        return await self._regions.list(request)

    async def ResolveRegion(self, request: pb.ResolveRegionRequest, context: Context) -> resources.Region:
        """Gets a region if the trust holds now."""
        return await self._regions.resolve(request)
