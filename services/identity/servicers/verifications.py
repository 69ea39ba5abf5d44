"""VerificationService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.verifications import Verifications
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1 import verification_service_pb2 as pb
from tongban.identity.v1.verification_service_pb2_grpc import VerificationServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class VerificationServicer(VerificationServiceServicer):
    """Serves ``tongban.identity.v1.VerificationService``."""

    def __init__(self, verifications: Verifications) -> None:
        self._verifications = verifications

    async def RecordVerification(
        self, request: pb.RecordVerificationRequest, context: Context
    ) -> resources.Verification:
        """Makes and records one check."""
        return await self._verifications.record(command_of(request), request)
