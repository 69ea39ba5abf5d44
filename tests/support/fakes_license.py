"""The license service's neighbours, faked at the contract: identity, seal, and another region behind its gateway."""

# ruff: noqa: N802 - gRPC fixes these names

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.api import httpbody_pb2

from libs.errors import FailedPrecondition, PermissionDenied, TongbanError, not_found
from libs.ids.synthetic import SyntheticPopulation
from libs.process import Process
from libs.rpc import status
from libs.rpc.receipts import RECEIPT
from tests.support.backends import HOST
from tongban.common.v1 import common_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    consent_service_pb2,
    consent_service_pb2_grpc,
    mandate_service_pb2,
    mandate_service_pb2_grpc,
    region_service_pb2_grpc,
    staff_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import (
    license_service_pb2_grpc,
    material_service_pb2,
    material_service_pb2_grpc,
    presentation_service_pb2_grpc,
    verification_service_pb2_grpc,
)
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as verification
from tongban.seal.v1 import resources_pb2 as seals
from tongban.seal.v1 import (
    seal_service_pb2,
    seal_service_pb2_grpc,
    sealing_service_pb2,
    sealing_service_pb2_grpc,
    validation_service_pb2,
    validation_service_pb2_grpc,
)

OWN_WORD = "assertion:service"
"""What stands in the token of the other region's with which our service asks for itself."""
DEPARTMENT = "departments/00000000-0000-7000-8000-00000000000d"
DEPARTMENT_NAME = "六安市行政审批局"
DEPARTMENT_CODE = SyntheticPopulation("license").uscc("11")
SEAL = "seals/00000000-0000-7000-8000-00000000000e"
SEAL_ID = "ab" * 16
NEXT_SEAL = "seals/00000000-0000-7000-8000-00000000000f"
NEXT_SEAL_ID = "cd" * 16
ABROAD = "320402"
# A PNG of one red pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63b8c3c0b0050004290191327bcb78"
    "0000000049454e44ae426082"
)


async def _refuse(context: Any, error: TongbanError) -> None:
    details = status.to_status(error).SerializeToString()
    await context.abort(status.grpc_code(error), error.message, ((status.DETAILS_KEY, details),))


@dataclass
class Neighbours:
    """What the fakes know, what they were asked, and how they fail.

    ``seal_error`` is raised by SealDocument; ``sealed`` holds what was sealed by request_id, so that a repeat is told
    from a second use. ``seal_ended`` ends the first seal, and its department has the next. ``accounts`` holds the names of
    accounts that stated ones are compared with, unless ``identity_error`` is given. ``asked`` holds the requests that came
    to the other region. ``lists_abroad`` is what ListLicenses there answers with, one after another: a page, an error, a bare
    status, or an event that it waits for. ``gateways`` are regions that stand elsewhere.
    ``consent_refusal`` and ``mandate_refusal`` are why a consent or a mandate doesn't allow what is asked, unless it does.
    ``validation_error`` is raised by ValidateDocument, ``exchange_error`` where a token is exchanged for an assertion.
    """

    address: str = ""
    department: str = DEPARTMENT
    seal_owner: str = DEPARTMENT
    seal_users: tuple[str, ...] = ("services/license",)
    seal_error: TongbanError | None = None
    seal_ended: bool = False
    sealed: dict[str, bytes] = field(default_factory=dict)
    seal_calls: int = 0
    consent_refusal: error_reason_pb2.ErrorReason.ValueType = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    consents_asked: list[consent_service_pb2.CheckConsentRequest] = field(default_factory=list)
    mandate_refusal: error_reason_pb2.ErrorReason.ValueType = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    mandates_asked: list[mandate_service_pb2.CheckMandateRequest] = field(default_factory=list)
    trusted: set[str] = field(default_factory=lambda: {ABROAD})
    conclusion: validation_service_pb2.Conclusion.ValueType = validation_service_pb2.CONCLUSION_TOTAL_PASSED
    validation_error: TongbanError | None = None
    revoked_abroad: bool = False
    asked: list[Any] = field(default_factory=list)
    lists_abroad: list[licenses.ListLicensesResponse | TongbanError | asyncio.Event | grpc.StatusCode] = field(
        default_factory=list
    )
    gateways: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    identity_error: TongbanError | None = None
    exchange_error: TongbanError | None = None
    tokens_used: list[str] = field(default_factory=list)

    def seal(self) -> seals.Seal:
        """The seal of the department: the next one once the first has ended."""
        name, seal_id = (NEXT_SEAL, NEXT_SEAL_ID) if self.seal_ended else (SEAL, SEAL_ID)
        made = seals.Seal(
            name=name,
            seal_id=seal_id,
            owner=self.seal_owner,
            state=seals.SEAL_STATE_ACTIVE,
            round=seals.RoundSeal(diameter_mm=42),
            users=[seals.SealUser(subject=user) for user in self.seal_users],
        )
        made.start_time.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
        made.end_time.FromDatetime(datetime.now(UTC) + timedelta(days=3650))
        return made

    def put_into(self, process: Process) -> None:
        """Makes the fakes the neighbours of ``process``."""
        for name in ("identity", "seal"):
            process._channels[name] = grpc.aio.insecure_channel(self.address)


class _Seals(seal_service_pb2_grpc.SealServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def ListSeals(self, request: seal_service_pb2.ListSealsRequest, context: Any) -> Any:
        seal = self.known.seal()
        return seal_service_pb2.ListSealsResponse(seals=[seal] if f"owner = {seal.owner} " in request.filter else [])

    async def GetSeal(self, request: seal_service_pb2.GetSealRequest, context: Any) -> Any:
        if request.name != SEAL:
            await _refuse(context, not_found(request.name))
        return self.known.seal()

    async def GetSealPicture(self, request: Any, context: Any) -> Any:
        return httpbody_pb2.HttpBody(content_type="image/png", data=PICTURE)


class _Sealing(sealing_service_pb2_grpc.SealingServiceServicer):
    """Returns the OFD unchanged, with a sealing's name that depends on the request alone."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def SealDocument(self, request: sealing_service_pb2.SealDocumentRequest, context: Any) -> Any:
        self.known.seal_calls += 1
        if self.known.seal_error is not None:
            await _refuse(context, self.known.seal_error)
        if self.known.seal_ended and request.seal == SEAL:
            ended = FailedPrecondition("SEAL_NOT_USABLE", "ended", seal=SEAL, state="REVOKED")
            await _refuse(context, ended)
        body = request.SerializeToString(deterministic=True)
        assert self.known.sealed.setdefault(request.request_id, body) == body, "the same request_id, another body"
        name = hashlib.sha256(request.request_id.encode()).hexdigest()
        sealing = seals.Sealing(
            name=f"sealings/{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}",
            state=seals.SEALING_STATE_SIGNED,
        )
        return sealing_service_pb2.SealDocumentResponse(sealing=sealing, document=request.content)


class _Validation(validation_service_pb2_grpc.ValidationServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def ValidateDocument(self, request: Any, context: Any) -> Any:
        if self.known.validation_error is not None:
            await _refuse(context, self.known.validation_error)
        finding = validation_service_pb2.SealFinding(seal_id=SEAL_ID, conclusion=self.known.conclusion)
        return validation_service_pb2.ValidationReport(conclusion=self.known.conclusion, seals=[finding])


class _Accounts(account_service_pb2_grpc.AccountServiceServicer):
    """Believes what is stated, except of those whose account is known."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckIdentities(self, request: account_service_pb2.CheckIdentitiesRequest, context: Any) -> Any:
        if self.known.identity_error is not None:
            await _refuse(context, self.known.identity_error)
        matches = [
            self.known.accounts.get(each.subject, each.display_name) == each.display_name for each in request.identities
        ]
        return account_service_pb2.CheckIdentitiesResponse(matches=matches)


class _Staff(staff_service_pb2_grpc.StaffServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def GetDepartment(self, request: Any, context: Any) -> Any:
        if request.name != self.known.department:
            await _refuse(context, not_found(request.name))
        return identity.Department(name=request.name, display_name=DEPARTMENT_NAME, uscc=DEPARTMENT_CODE)


class _Consents(consent_service_pb2_grpc.ConsentServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckConsent(self, request: Any, context: Any) -> Any:
        self.known.consents_asked.append(request)
        return consent_service_pb2.CheckConsentResponse(
            allowed=not self.known.consent_refusal, reason=self.known.consent_refusal
        )


class _Mandates(mandate_service_pb2_grpc.MandateServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckMandate(self, request: mandate_service_pb2.CheckMandateRequest, context: Any) -> Any:
        self.known.mandates_asked.append(request)
        return mandate_service_pb2.CheckMandateResponse(
            allowed=not self.known.mandate_refusal, reason=self.known.mandate_refusal
        )


class _Regions(region_service_pb2_grpc.RegionServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def ResolveRegion(self, request: Any, context: Any) -> Any:
        code = request.name.removeprefix("regions/")
        if code not in self.known.trusted:
            await _refuse(context, PermissionDenied("REGION_NOT_TRUSTED", "not trusted", region=code))
        anchor = identity.RegionAnchor(gateway_url=self.known.gateways.get(code, f"http://{self.known.address}"))
        return identity.Region(name=request.name, display_name="江苏省常州市天宁区", anchor=anchor)


class _Tokens(token_service_pb2_grpc.TokenServiceServicer):
    """Both our own identity service and the other region's: it says in the token what it was made from."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def IssueServiceToken(self, request: Any, context: Any) -> Any:
        return token_service_pb2.IssueServiceTokenResponse(access_token="service", expires_in=600)

    async def ExchangeToken(self, request: token_service_pb2.ExchangeTokenRequest, context: Any) -> Any:
        if request.audience and self.known.exchange_error is not None:
            await _refuse(context, self.known.exchange_error)
        kind = "assertion" if request.audience else "access"
        made = request.subject_token if len(request.subject_token) < 100 else "person"
        return token_service_pb2.ExchangeTokenResponse(access_token=f"{kind}:{made}", expires_in=600)


def _note(known: Neighbours, request: Any, context: Any) -> None:
    known.asked.append(request)
    known.tokens_used.append(dict(context.invocation_metadata())["authorization"])


class _LicensesAbroad(license_service_pb2_grpc.LicenseServiceServicer):
    """The licences of the other region, for our service and for a person of ours in their own name."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def GetLicense(self, request: licenses.GetLicenseRequest, context: Any) -> Any:
        _note(self.known, request, context)
        await _tell(request.use_context, context)
        return resources.License(name=f"//{ABROAD}/{request.name}")

    async def DownloadLicense(self, request: licenses.DownloadLicenseRequest, context: Any) -> Any:
        _note(self.known, request, context)
        await _tell(request.use_context, context)
        return licenses.DownloadLicenseResponse(content=b"copy")

    async def ListLicenses(self, request: licenses.ListLicensesRequest, context: Any) -> Any:
        _note(self.known, request, context)
        answer = self.known.lists_abroad.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, TongbanError):
            await _refuse(context, answer)
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "")
        await _tell(request.use_context, context)
        return answer


class _VerificationAbroad(verification_service_pb2_grpc.VerificationServiceServicer):
    """What the other region says of its licences."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def VerifyLicense(self, request: verification.VerifyLicenseRequest, context: Any) -> Any:
        _note(self.known, request, context)
        revoked = self.known.revoked_abroad
        return verification.VerifyLicenseResponse(
            standing=verification.STANDING_REVOKED if revoked else verification.STANDING_VALID, region=ABROAD
        )


class _PresentationsAbroad(presentation_service_pb2_grpc.PresentationServiceServicer):
    """The presentations of the other region."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def RedeemPresentation(self, request: presentations.RedeemPresentationRequest, context: Any) -> Any:
        _note(self.known, request, context)
        await _tell(request.use_context, context)
        return presentations.RedeemPresentationResponse(
            presentation=presentations.Presentation(name=f"//{ABROAD}/{request.name or 'presentations/by-code'}")
        )


class _MaterialsAbroad(material_service_pb2_grpc.MaterialServiceServicer):
    """The other region's materials: our service gets one for its case; a person who asks in their own name has none there."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def DownloadMaterial(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if OWN_WORD not in dict(context.invocation_metadata())["authorization"]:
            self.known.tokens_used.append(dict(context.invocation_metadata())["authorization"])
            await _refuse(context, not_found(request.name))
        _note(self.known, request, context)
        await _tell(request.use_context, context)
        yield material_service_pb2.DownloadMaterialResponse(material=material_service_pb2.Material())
        yield material_service_pb2.DownloadMaterialResponse(chunk=b"%PDF-1.7 of another region")


async def _tell(use: common_pb2.UseContext, context: Any) -> None:
    """Goes ahead of the answer with the receipt of the other region's record."""
    receipt = common_pb2.Receipt(log=f"//{ABROAD}/license", transaction_id=use.transaction_id)
    await context.send_initial_metadata([(RECEIPT, receipt.SerializeToString())])


def _fake(servicer: Any) -> Any:
    """A fake answers only what this service asks; the generated base class refuses the rest."""
    return servicer


@asynccontextmanager
async def neighbours() -> AsyncIterator[Neighbours]:
    """Serves all fakes on one port of the loopback."""
    known = Neighbours()
    server = grpc.aio.server()
    seal_service_pb2_grpc.add_SealServiceServicer_to_server(_fake(_Seals)(known), server)
    sealing_service_pb2_grpc.add_SealingServiceServicer_to_server(_fake(_Sealing)(known), server)
    validation_service_pb2_grpc.add_ValidationServiceServicer_to_server(_fake(_Validation)(known), server)
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(_fake(_Accounts)(known), server)
    staff_service_pb2_grpc.add_StaffServiceServicer_to_server(_fake(_Staff)(known), server)
    consent_service_pb2_grpc.add_ConsentServiceServicer_to_server(_fake(_Consents)(known), server)
    mandate_service_pb2_grpc.add_MandateServiceServicer_to_server(_fake(_Mandates)(known), server)
    region_service_pb2_grpc.add_RegionServiceServicer_to_server(_fake(_Regions)(known), server)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(_fake(_Tokens)(known), server)
    presentation_service_pb2_grpc.add_PresentationServiceServicer_to_server(_fake(_PresentationsAbroad)(known), server)
    verification_service_pb2_grpc.add_VerificationServiceServicer_to_server(_fake(_VerificationAbroad)(known), server)
    license_service_pb2_grpc.add_LicenseServiceServicer_to_server(_fake(_LicensesAbroad)(known), server)
    material_service_pb2_grpc.add_MaterialServiceServicer_to_server(_fake(_MaterialsAbroad)(known), server)
    known.address = f"{HOST}:{server.add_insecure_port(f'{HOST}:0')}"
    await server.start()
    try:
        yield known
    finally:
        await server.stop(None)
