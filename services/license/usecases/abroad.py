"""Asks other regions, gateway to gateway: recorded here first, answered and recorded there, under one transaction id."""

from collections.abc import AsyncIterator, Callable
from functools import cached_property

import grpc

from libs.access.actor import Actor
from libs.audit.writer import AuditWriter
from libs.db.command import command_of
from libs.errors import invalid_field, reasons
from libs.ids import names
from libs.ids.names import ResourceName
from libs.ids.uuid7 import uuid7
from libs.rpc.call import current_call
from libs.rpc.client import invoke
from libs.rpc.regions import ACCESS_TOKEN, Regions
from services.license.domain.material import KEEPER_OF_CASES, somebody_elses
from services.license.usecases.asking import asking
from services.license.usecases.case_door import CaseDoor
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as identity
from tongban.identity.v1 import token_service_pb2 as tokens
from tongban.identity.v1.token_service_pb2_grpc import TokenServiceStub
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import recognition_service_pb2 as recognition
from tongban.license.v1 import verification_service_pb2 as verification
from tongban.license.v1.license_service_pb2_grpc import LicenseServiceStub
from tongban.license.v1.material_service_pb2_grpc import MaterialServiceStub
from tongban.license.v1.recognition_service_pb2_grpc import RecognitionServiceStub

Recorded = (
    pb.GetLicenseRequest
    | pb.DownloadLicenseRequest
    | presentations.RedeemPresentationRequest
    | materials.DownloadMaterialRequest
)


class Abroad:
    """The license services of other regions."""

    def __init__(
        self, identity_channel: Callable[[], grpc.aio.Channel], audit: AuditWriter, door: CaseDoor, home: str
    ) -> None:
        self._identity = identity_channel
        self._door = door
        self._audit = audit
        self._home = home

    @cached_property
    def _regions(self) -> Regions:
        return Regions(self._identity())

    async def check_inbound(self, actor: Actor) -> None:
        """Raises REGION_NOT_TRUSTED unless the caller's region is trusted now, and not only when its token was made."""
        if not actor.region:
            raise reasons.region_not_trusted("the token names no region", region="")
        await self._regions.trusted(actor.region, identity.TRUST_DIRECTION_INBOUND)

    async def region_name(self, region: str) -> str:
        """Returns what a trusted region is called; raises REGION_NOT_TRUSTED."""
        return (await self._regions.trusted(region, identity.TRUST_DIRECTION_INBOUND)).display_name

    async def get(self, name: ResourceName, request: pb.GetLicenseRequest) -> pb.GetLicenseResponse:
        """Reads another region's licence."""
        presentation = _theirs(request.presentation, name.region)
        assertion = await self._personal(name.region)
        if not (assertion or presentation):
            await self._check_license(request)
        context = await self._record(request, str(name))
        if assertion:
            own = pb.GetLicenseRequest(name=name.local, context=context, presentation=presentation)
            return await self._regions.invoke(
                name.region,
                lambda to: LicenseServiceStub(to).GetLicense,
                own,
                pb.GetLicenseResponse,
                assertion=assertion,
            )
        theirs = recognition.GetRemoteLicenseRequest(name=name.local, context=context, presentation=presentation)
        answer = await self._regions.invoke(
            name.region,
            lambda to: RecognitionServiceStub(to).GetRemoteLicense,
            theirs,
            recognition.GetRemoteLicenseResponse,
        )
        return pb.GetLicenseResponse(license=answer.license, receipt=answer.receipt)

    async def download(self, name: ResourceName, request: pb.DownloadLicenseRequest) -> pb.DownloadLicenseResponse:
        """Fetches the file of another region's licence."""
        presentation = _theirs(request.presentation, name.region)
        assertion = await self._personal(name.region)
        if not (assertion or presentation):
            await self._check_license(request)
        context = await self._record(request, str(name))
        theirs = recognition.DownloadRemoteLicenseRequest(
            name=name.local,
            format=request.format,
            context=context,
            original=request.original,
            presentation=presentation,
        )
        if request.HasField("copy_expire_time"):
            theirs.copy_expire_time.CopyFrom(request.copy_expire_time)
        if assertion:
            return await self._download_own(name, theirs, assertion)
        answer = await self._regions.invoke(
            name.region,
            lambda to: RecognitionServiceStub(to).DownloadRemoteLicense,
            theirs,
            recognition.DownloadRemoteLicenseResponse,
            timeout=20.0,
        )
        return answer.download

    async def _download_own(
        self, name: ResourceName, wanted: recognition.DownloadRemoteLicenseRequest, assertion: str
    ) -> pb.DownloadLicenseResponse:
        # The two requests have the same fields under the same numbers; only who asks differs.
        request = pb.DownloadLicenseRequest.FromString(wanted.SerializeToString())
        return await self._regions.invoke(
            name.region,
            lambda to: LicenseServiceStub(to).DownloadLicense,
            request,
            pb.DownloadLicenseResponse,
            assertion=assertion,
            timeout=20.0,
        )

    async def redeem(
        self, region: str, request: presentations.RedeemPresentationRequest, name: str
    ) -> presentations.RedeemPresentationResponse:
        """Redeems another region's presentation there; ``name`` is its local name, empty where the code is given."""
        context = await self._record(request, f"//{region}/{name or 'presentations'}")
        theirs = recognition.ListRemoteLicensesRequest(context=context, request_id=request.request_id)
        if name:
            theirs.name = name
        else:
            theirs.code = request.code
        answer = await self._regions.invoke(
            region,
            lambda to: RecognitionServiceStub(to).ListRemoteLicenses,
            theirs,
            recognition.ListRemoteLicensesResponse,
        )
        return presentations.RedeemPresentationResponse(
            presentation=answer.presentation, licenses=answer.licenses, receipt=answer.receipt
        )

    async def verify(
        self, region: str, question: verification.VerifyLicenseRequest
    ) -> verification.VerifyLicenseResponse:
        """Asks another region whether a licence is good, each time anew: a revocation there shows at once."""
        transaction = uuid7()
        await self._audit.write(command_of(question), f"//{region}/licenses", transaction_id=transaction)
        request = recognition.VerifyRemoteLicenseRequest(question=question, transaction_id=transaction)
        answer = await self._regions.invoke(
            region,
            lambda to: RecognitionServiceStub(to).VerifyRemoteLicense,
            request,
            recognition.VerifyRemoteLicenseResponse,
        )
        return answer.answer

    async def material(
        self, name: ResourceName, request: materials.DownloadMaterialRequest
    ) -> AsyncIterator[materials.DownloadMaterialResponse]:
        """Fetches another region's material, part by part; a person in their own name, for the case opens them none."""
        assertion = await self._personal(name.region)
        if not assertion:
            await self._check_material(str(name), request)
        context = await self._record(request, str(name))
        if assertion:
            own = materials.DownloadMaterialRequest(name=name.local, context=context)
            async for part in self._regions.stream(
                name.region,
                lambda to: MaterialServiceStub(to).DownloadMaterial,
                own,
                materials.DownloadMaterialResponse,
                assertion=assertion,
            ):
                yield part
            return
        theirs = recognition.DownloadRemoteMaterialRequest(name=name.local, context=context)
        async for message in self._regions.stream(
            name.region,
            lambda to: RecognitionServiceStub(to).DownloadRemoteMaterial,
            theirs,
            recognition.DownloadRemoteMaterialResponse,
        ):
            yield message.part

    async def _check_license(self, request: pb.GetLicenseRequest | pb.DownloadLicenseRequest) -> None:
        """Raises LICENSE_USE_NOT_ALLOWED unless the case that is named is the reader's: the other region takes our word."""
        asked = asking(current_call().actor, request.context, self._home)
        if not await self._door.is_of(asked):
            raise reasons.license_use_not_allowed(
                f"{request.name}: no case of the reader's",
                resource=request.name,
                rule="case",
            )

    async def _check_material(self, name: str, request: materials.DownloadMaterialRequest) -> None:
        """Raises NOT_OWNER unless the reader works on the case, and the case refers to the file."""
        asked = asking(current_call().actor, request.context, self._home)
        if asked.reader.client == KEEPER_OF_CASES and asked.purpose.case_name:
            return
        case = await self._door.case_of(asked)
        if case is None or name not in case.materials:
            raise somebody_elses(name)

    async def _record(self, request: Recorded, obj: str) -> common_pb2.UseContext:
        """Writes the record of the call, and returns the context as the other region gets it."""
        context = asking(current_call().actor, request.context, self._home).context
        context.transaction_id = context.transaction_id or uuid7()
        if context.case_name.startswith("cases/"):
            context.case_name = f"//{self._home}/{context.case_name}"
        await self._audit.write(command_of(request), obj, transaction_id=context.transaction_id)
        return context

    async def _personal(self, region: str) -> str:
        """Returns the assertion with which a person asks in their own name; empty for all others.

        What belongs to a person is theirs in every region that trusts this one (一地认证、全网通办).
        """
        actor = current_call().actor
        if not actor.person or actor.delegate:
            return ""
        request = tokens.ExchangeTokenRequest(
            subject_token=actor.token, subject_token_type=ACCESS_TOKEN, audience=f"//{region}"
        )
        made = await invoke(
            TokenServiceStub(self._identity()).ExchangeToken,
            request,
            tokens.ExchangeTokenResponse,
            to="identity",
            token="",
        )
        return made.access_token


def _theirs(presentation: str, region: str) -> str:
    """Returns the local name of a presentation that must lie in the same region as the licence."""
    if not presentation:
        return ""
    name = names.parse(presentation, "presentation", "presentations")
    if name.region not in ("", region):
        raise invalid_field("presentation", "presentation.region", "must be of the same region as the licence")
    return name.local
