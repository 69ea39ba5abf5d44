"""What is asked of the sharing services of other regions, gateway to gateway, as this region's service.

What must be checked and recorded here before is done by who asks.
"""

from collections.abc import Callable
from functools import cached_property

import grpc

from libs.rpc.regions import Regions
from tongban.common.v1 import common_pb2
from tongban.sharing.v1 import data_service_pb2 as pb
from tongban.sharing.v1.data_service_pb2_grpc import DataServiceStub


class SharingRegions:
    """The sharing services of other regions."""

    def __init__(self, identity: Callable[[], grpc.aio.Channel]) -> None:
        self._identity = identity

    @cached_property
    def _regions(self) -> Regions:
        return Regions(self._identity())

    async def query(self, region: str, asked: pb.QueryRequest) -> tuple[pb.QueryResponse, common_pb2.Receipt | None]:
        """Reads rows, and gives the other region's receipt; raises REGION_NOT_TRUSTED, DEPENDENCY_UNAVAILABLE, or what the other region refuses with."""
        return await self._regions.invoke_recorded(
            region, lambda to: DataServiceStub(to).Query, asked, pb.QueryResponse
        )

    async def compare(
        self, region: str, asked: pb.CompareRequest
    ) -> tuple[pb.CompareResponse, common_pb2.Receipt | None]:
        """Compares, and gives the other region's receipt; raises as :meth:`query`."""
        return await self._regions.invoke_recorded(
            region, lambda to: DataServiceStub(to).Compare, asked, pb.CompareResponse
        )

    async def close(self) -> None:
        """Closes the channels, if any were opened."""
        if "_regions" in vars(self):
            await self._regions.close()
