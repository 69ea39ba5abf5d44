"""DataService and RegionDataService: convert and call, nothing else."""

from typing import Any

import grpc

from services.sharing.usecases.data import Data
from tongban.sharing.v1 import data_service_pb2 as pb
from tongban.sharing.v1.data_service_pb2_grpc import DataServiceServicer, RegionDataServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class DataServicer(DataServiceServicer):
    """Serves ``tongban.sharing.v1.DataService``."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def Query(self, request: pb.QueryRequest, context: Context) -> pb.QueryResponse:
        """Reads rows."""
        return await self._data.query(request)

    async def Compare(self, request: pb.CompareRequest, context: Context) -> pb.CompareResponse:
        """Compares values."""
        return await self._data.compare(request)


class RegionDataServicer(RegionDataServiceServicer):
    """Serves ``tongban.sharing.v1.RegionDataService``."""

    def __init__(self, data: Data) -> None:
        self._data = data

    async def QueryRemote(self, request: pb.QueryRemoteRequest, context: Context) -> pb.QueryResponse:
        """Reads rows for another region."""
        return await self._data.query_remote(request)

    async def CompareRemote(self, request: pb.CompareRemoteRequest, context: Context) -> pb.CompareResponse:
        """Compares values for another region."""
        return await self._data.compare_remote(request)
