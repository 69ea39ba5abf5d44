"""RecognitionService: converts and calls, nothing else."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from libs.db.command import command_of
from services.license.usecases.downloads import Downloads
from services.license.usecases.licenses import Licenses
from services.license.usecases.materials import Materials
from services.license.usecases.presentations import Presentations
from services.license.usecases.verification import Verification
from tongban.license.v1 import recognition_service_pb2 as pb
from tongban.license.v1.recognition_service_pb2_grpc import RecognitionServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class RecognitionServicer(RecognitionServiceServicer):
    """Serves ``tongban.license.v1.RecognitionService``."""

    def __init__(
        self,
        licenses: Licenses,
        downloads: Downloads,
        verification: Verification,
        presentations: Presentations,
        materials: Materials,
    ) -> None:
        self._licenses = licenses
        self._downloads = downloads
        self._verification = verification
        self._presentations = presentations
        self._materials = materials

    async def GetRemoteLicense(
        self, request: pb.GetRemoteLicenseRequest, context: Context
    ) -> pb.GetRemoteLicenseResponse:
        """Gets a licence for another region."""
        found = await self._licenses.get_for_region(request)
        return pb.GetRemoteLicenseResponse(license=found.license, receipt=found.receipt)

    async def VerifyRemoteLicense(
        self, request: pb.VerifyRemoteLicenseRequest, context: Context
    ) -> pb.VerifyRemoteLicenseResponse:
        """Verifies a licence for another region."""
        return pb.VerifyRemoteLicenseResponse(answer=await self._verification.verify_for_region(request))

    async def ListRemoteLicenses(
        self, request: pb.ListRemoteLicensesRequest, context: Context
    ) -> pb.ListRemoteLicensesResponse:
        """Redeems a presentation for another region."""
        found = await self._presentations.redeem_for_region(command_of(request), request)
        return pb.ListRemoteLicensesResponse(
            presentation=found.presentation, licenses=found.licenses, receipt=found.receipt
        )

    async def DownloadRemoteLicense(
        self, request: pb.DownloadRemoteLicenseRequest, context: Context
    ) -> pb.DownloadRemoteLicenseResponse:
        """Hands out the file of a licence to another region."""
        return pb.DownloadRemoteLicenseResponse(download=await self._downloads.download_for_region(request))

    async def DownloadRemoteMaterial(
        self, request: pb.DownloadRemoteMaterialRequest, context: Context
    ) -> AsyncIterator[pb.DownloadRemoteMaterialResponse]:
        """Hands out the bytes of a material to another region."""
        async for part in self._materials.download_for_region(request):
            yield pb.DownloadRemoteMaterialResponse(part=part)
