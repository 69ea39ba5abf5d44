"""VerificationService: converts and calls, nothing else."""

from typing import Any

import grpc

from services.license.usecases.verification import Verification
from tongban.license.v1 import verification_service_pb2 as pb
from tongban.license.v1.verification_service_pb2_grpc import VerificationServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class VerificationServicer(VerificationServiceServicer):
    """Serves ``tongban.license.v1.VerificationService``."""

    def __init__(self, verification: Verification) -> None:
        self._verification = verification

    async def VerifyLicense(self, request: pb.VerifyLicenseRequest, context: Context) -> pb.VerifyLicenseResponse:
        """Tells whether a licence is good."""
        return await self._verification.verify(request)
