"""ValidationService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.rpc.call import current_call
from services.seal.usecases.validations import Validations
from tongban.seal.v1 import validation_service_pb2 as pb
from tongban.seal.v1.validation_service_pb2_grpc import ValidationServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ValidationServicer(ValidationServiceServicer):
    """Serves ``tongban.seal.v1.ValidationService``."""

    def __init__(self, validations: Validations) -> None:
        self._validations = validations

    async def ValidateDocument(self, request: pb.ValidateDocumentRequest, context: Context) -> pb.ValidationReport:
        """Validates a sealed document."""
        return await self._validations.document(current_call().actor, request.document)

    async def ValidateSeal(self, request: pb.ValidateSealRequest, context: Context) -> pb.ValidationReport:
        """Validates a lone seal."""
        return await self._validations.seal(current_call().actor, request.seal)
