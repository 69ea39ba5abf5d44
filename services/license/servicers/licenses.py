"""LicenseService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.access.actor import Standing
from libs.db.command import command_of
from libs.rpc.call import current_call
from services.license.domain.numbering import check_issuer
from services.license.usecases.checks import Checks
from services.license.usecases.downloads import Downloads
from services.license.usecases.issue import Issuing
from services.license.usecases.licenses import Licenses
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1.license_service_pb2_grpc import LicenseServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class LicenseServicer(LicenseServiceServicer):
    """Serves ``tongban.license.v1.LicenseService``."""

    def __init__(self, licenses: Licenses, issuing: Issuing, checks: Checks, downloads: Downloads) -> None:
        self._licenses = licenses
        self._checks = checks
        self._issuing = issuing
        self._downloads = downloads

    async def IssueLicense(self, request: pb.IssueLicenseRequest, context: Context) -> resources.License:
        """Issues a licence; staff and clients only for their own department."""
        actor = current_call().actor
        if actor.standing is not Standing.SERVICE:
            check_issuer(request.issuer.department, actor.department)
        return await self._issuing.issue(command_of(request), request)

    async def CheckLicense(self, request: pb.CheckLicenseRequest, context: Context) -> pb.CheckLicenseResponse:
        """Tells whether a licence of this content could be issued."""
        return await self._checks.check(request)

    async def CompareLicenses(self, request: pb.CompareLicensesRequest, context: Context) -> pb.CompareLicensesResponse:
        """Tells which licences are not here."""
        return pb.CompareLicensesResponse(missing=await self._licenses.missing(request.names))

    async def GetLicense(self, request: pb.GetLicenseRequest, context: Context) -> pb.GetLicenseResponse:
        """Gets a licence with its face."""
        return await self._licenses.get(request)

    async def ListLicenses(self, request: pb.ListLicensesRequest, context: Context) -> pb.ListLicensesResponse:
        """Lists licences."""
        return await self._licenses.page(request)

    async def LookupByIdentifier(
        self, request: pb.LookupByIdentifierRequest, context: Context
    ) -> pb.LookupByIdentifierResponse:
        """Gets a licence by its identifier."""
        return await self._licenses.lookup(request)

    async def RevokeLicense(self, request: pb.RevokeLicenseRequest, context: Context) -> resources.License:
        """Takes a licence away."""
        return await self._licenses.revoke(command_of(request), request)

    async def DownloadLicense(self, request: pb.DownloadLicenseRequest, context: Context) -> pb.DownloadLicenseResponse:
        """Hands out the file."""
        return await self._downloads.download(request)
