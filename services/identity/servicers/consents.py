"""ConsentService: converts and calls, nothing else."""

from typing import Any

import grpc

from libs.db.command import command_of
from services.identity.usecases.consents import Consents
from tongban.identity.v1 import consent_service_pb2 as pb
from tongban.identity.v1 import resources_pb2 as resources
from tongban.identity.v1.consent_service_pb2_grpc import ConsentServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ConsentServicer(ConsentServiceServicer):
    """Serves ``tongban.identity.v1.ConsentService``."""

    def __init__(self, consents: Consents) -> None:
        self._consents = consents

    async def GrantConsent(self, request: pb.GrantConsentRequest, context: Context) -> resources.Consent:
        """Gives a consent."""
        return await self._consents.grant(command_of(request), request.consent)

    async def WithdrawConsent(self, request: pb.WithdrawConsentRequest, context: Context) -> resources.Consent:
        """Takes a consent back."""
        return await self._consents.withdraw(command_of(request), request)

    async def GetConsent(self, request: pb.GetConsentRequest, context: Context) -> resources.Consent:
        """Gets a consent."""
        return await self._consents.get(request)

    async def CheckConsent(self, request: pb.CheckConsentRequest, context: Context) -> pb.CheckConsentResponse:
        """Says whether a consent covers a use."""
        return await self._consents.check(request)
