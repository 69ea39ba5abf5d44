"""What is asked of the license services of other regions, gateway to gateway.

One RPC serves both ways that lead there: this service asks for those who work on a case, and a person asks in their own name,
with an assertion that their token was exchanged for. What must be checked and recorded here before is done by who asks.
"""

from collections.abc import AsyncIterator, Callable
from functools import cached_property

import grpc

from libs.access.actor import Actor
from libs.rpc.client import TellReceipt
from libs.rpc.regions import Regions
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as verification
from tongban.license.v1.license_service_pb2_grpc import LicenseServiceStub
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceStub
from tongban.license.v1.presentation_service_pb2_grpc import PresentationServiceStub
from tongban.license.v1.verification_service_pb2_grpc import VerificationServiceStub

_FILE_SECONDS = 20.0


class OtherRegions:
    """The license services of other regions, and whether they are trusted."""

    def __init__(self, identity_channel: Callable[[], grpc.aio.Channel]) -> None:
        self._identity = identity_channel

    @cached_property
    def known(self) -> Regions:
        """The regions, made at the first use."""
        return Regions(self._identity())

    async def display_name(self, region: str) -> str:
        """Returns what a trusted region is called; raises REGION_NOT_TRUSTED."""
        return (await self.known.trusted(region, identity.TRUST_DIRECTION_INBOUND)).display_name

    async def assertion_for(self, actor: Actor, region: str) -> str:
        """Returns the assertion with which a person asks in their own name; empty for all others."""
        return await self.known.assertion_for(actor, region)

    async def license(
        self, region: str, wanted: licenses.GetLicenseRequest, assertion: str
    ) -> tuple[resources.License, common_pb2.Receipt | None]:
        """Reads a licence, and gives the other region's receipt; ``assertion`` is that of the person who asks, empty where this service does."""
        return await self.known.invoke_recorded(
            region, lambda to: LicenseServiceStub(to).GetLicense, wanted, resources.License, assertion=assertion
        )

    async def file(
        self, region: str, wanted: licenses.DownloadLicenseRequest, assertion: str
    ) -> tuple[licenses.DownloadLicenseResponse, common_pb2.Receipt | None]:
        """Fetches the file of a licence, and gives the other region's receipt; ``assertion`` as in ``license``."""
        return await self.known.invoke_recorded(
            region,
            lambda to: LicenseServiceStub(to).DownloadLicense,
            wanted,
            licenses.DownloadLicenseResponse,
            assertion=assertion,
            timeout=_FILE_SECONDS,
        )

    async def presented(
        self, region: str, wanted: presentations.RedeemPresentationRequest
    ) -> tuple[presentations.RedeemPresentationResponse, common_pb2.Receipt | None]:
        """Redeems a presentation, and gives the other region's receipt."""
        answer = presentations.RedeemPresentationResponse
        return await self.known.invoke_recorded(
            region, lambda to: PresentationServiceStub(to).RedeemPresentation, wanted, answer
        )

    async def verified(
        self, region: str, question: verification.VerifyLicenseRequest
    ) -> verification.VerifyLicenseResponse:
        """Asks whether a licence is good, each time anew: a revocation there shows at once."""
        answer = verification.VerifyLicenseResponse
        return await self.known.invoke(region, lambda to: VerificationServiceStub(to).VerifyLicense, question, answer)

    async def material(
        self, region: str, wanted: materials.DownloadMaterialRequest, assertion: str, tell: TellReceipt
    ) -> AsyncIterator[materials.DownloadMaterialResponse]:
        """Fetches a material, part by part, and tells the other region's receipt first; ``assertion`` as in ``license``."""
        answer = materials.DownloadMaterialResponse
        async for part in self.known.stream(
            region, lambda to: MaterialServiceStub(to).DownloadMaterial, wanted, answer, assertion=assertion, tell=tell
        ):
            yield part
