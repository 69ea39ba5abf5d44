"""LicenseTypeService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.license.usecases.types import LicenseTypes
from tongban.license.v1 import license_type_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1.license_type_service_pb2_grpc import LicenseTypeServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class LicenseTypeServicer(LicenseTypeServiceServicer):
    """Serves ``tongban.license.v1.LicenseTypeService``."""

    def __init__(self, types: LicenseTypes) -> None:
        self._types = types

    async def CreateLicenseType(self, request: pb.CreateLicenseTypeRequest, context: Context) -> resources.LicenseType:
        """Creates a type as a draft."""
        return await self._types.create(command_of(request), request)

    async def PublishLicenseType(
        self, request: pb.PublishLicenseTypeRequest, context: Context
    ) -> resources.LicenseType:
        """Brings a draft into the catalogue."""
        return await self._types.publish(command_of(request), request)

    async def GetLicenseType(self, request: pb.GetLicenseTypeRequest, context: Context) -> resources.LicenseType:
        """Gets a type."""
        return await self._types.get(request.name)

    async def ListLicenseTypes(
        self, request: pb.ListLicenseTypesRequest, context: Context
    ) -> pb.ListLicenseTypesResponse:
        """Lists types, by code."""
        return await self._types.page(request)
