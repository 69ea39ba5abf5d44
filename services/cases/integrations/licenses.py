"""What case handling asks of the license service of its region: presentations, materials, licences and their types."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import grpc

from libs.rpc.client import invoke, invoke_recorded, stream
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import license_type_service_pb2 as types
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1.license_service_pb2_grpc import LicenseServiceStub
from tongban.license.v1.license_type_service_pb2_grpc import LicenseTypeServiceStub
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceStub
from tongban.license.v1.presentation_service_pb2_grpc import PresentationServiceStub

Channel = Callable[[], grpc.aio.Channel]


@dataclass(frozen=True, slots=True)
class FetchedMaterial:
    """A material of another region: what that says of it, the digest of the bytes that really came, and its receipt."""

    material: materials.Material
    digest: str
    receipt: common_pb2.Receipt | None


class LicenseService:
    """The license service. It fetches what another region holds, and records each use at both sides."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def check(self, request: licenses.CheckLicenseRequest) -> None:
        """Asks whether a licence of this content could be issued; raises what the licence service refuses with."""
        answer = licenses.CheckLicenseResponse
        await invoke(LicenseServiceStub(self._channel()).CheckLicense, request, answer, to="license", token="")

    async def missing(self, names: Sequence[str]) -> Collection[str]:
        """Tells which of some licences the licence service does not know."""
        request = licenses.CompareLicensesRequest(names=names)
        answer = licenses.CompareLicensesResponse
        return frozenset(
            (
                await invoke(
                    LicenseServiceStub(self._channel()).CompareLicenses, request, answer, to="license", token=""
                )
            ).missing
        )

    async def license_type(self, name: str) -> resources.LicenseType:
        """Returns a licence type of the catalogue; raises NotFound."""
        request = types.GetLicenseTypeRequest(name=name)
        return await invoke(
            LicenseTypeServiceStub(self._channel()).GetLicenseType,
            request,
            resources.LicenseType,
            to="license",
            token="",
        )

    async def redeem(
        self, name: str, context: common_pb2.UseContext, request_id: str
    ) -> tuple[presentations.RedeemPresentationResponse, common_pb2.Receipt | None]:
        """Returns the licences that a presentation shows, each in the state it is in now, and the receipt of who holds them."""
        request = presentations.RedeemPresentationRequest(name=name, use_context=context, request_id=request_id)
        answer = presentations.RedeemPresentationResponse
        return await invoke_recorded(
            PresentationServiceStub(self._channel()).RedeemPresentation,
            request,
            answer,
            to="license",
            token="",
            timeout=15,
        )

    async def material(
        self, name: str, context: common_pb2.UseContext
    ) -> tuple[materials.Material, common_pb2.Receipt | None]:
        """Returns what is known of a material of this region, and the receipt."""
        request = materials.GetMaterialRequest(name=name, use_context=context)
        return await invoke_recorded(
            MaterialServiceStub(self._channel()).GetMaterial, request, materials.Material, to="license", token=""
        )

    async def download(self, name: str, context: common_pb2.UseContext) -> FetchedMaterial:
        """Fetches a material of another region."""
        request = materials.DownloadMaterialRequest(name=name, use_context=context)
        material, digest, told = materials.Material(), hashlib.new("sm3"), list[common_pb2.Receipt | None]()
        async for part in stream(
            MaterialServiceStub(self._channel()).DownloadMaterial,
            request,
            materials.DownloadMaterialResponse,
            to="license",
            token="",
            timeout=30,
            tell=told.append,
        ):
            if part.HasField("material"):
                material = part.material
            else:
                digest.update(part.chunk)
        return FetchedMaterial(material, f"sm3:{digest.hexdigest()}", told[-1] if told else None)
