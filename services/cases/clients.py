"""The neighbours that case handling asks: identity (mandates, tokens) and license (presentations, materials)."""

import hashlib
import time
from collections.abc import Collection, Sequence

import grpc

from libs.db.command import digest_of
from libs.errors import Code, PermissionDenied, TongbanError, invalid_field, reasons
from libs.rpc.client import invoke, stream
from libs.rpc.regions import ACCESS_TOKEN, ASSERTION
from tongban.cases.v1 import resources_pb2 as pb
from tongban.common.v1 import common_pb2, error_reason_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    mandate_service_pb2,
    mandate_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import (
    license_service_pb2,
    license_service_pb2_grpc,
    license_type_service_pb2,
    license_type_service_pb2_grpc,
    material_service_pb2,
    material_service_pb2_grpc,
    presentation_service_pb2,
    presentation_service_pb2_grpc,
    resources_pb2,
)

_KNOWN_SECONDS = 60.0
_MOST_KNOWN = 10_000
DELEGATION = "urn:tongban:params:oauth:token-type:delegation"
_PASSING = frozenset({Code.UNAVAILABLE, Code.ABORTED, Code.DEADLINE_EXCEEDED, Code.INTERNAL, Code.UNAUTHENTICATED})


def is_passing(error: TongbanError) -> bool:
    """True where the same call may come out otherwise later: the callee is away, or trust is suspended for now."""
    return error.code in _PASSING or error.reason in {"REGION_NOT_TRUSTED", "PEER_NOT_ALLOWED", "RATE_LIMITED"}


class Identity:
    """What the identity service is asked."""

    def __init__(self, channel: grpc.aio.Channel, region: str) -> None:
        self._mandates = mandate_service_pb2_grpc.MandateServiceStub(channel)
        self._accounts = account_service_pb2_grpc.AccountServiceStub(channel)
        self._known: dict[bytes, float] = {}
        self._tokens = token_service_pb2_grpc.TokenServiceStub(channel)
        self._region = region

    async def check_parties(self, applicant: pb.Applicant, agent: pb.Agent | None, *, anew: bool = False) -> None:
        """Raises FIELD_INVALID unless names and documents of the parties are those of their accounts.

        What agreed is believed for a minute, unless it is to be asked ``anew``. Persons are named by the office that verified them, never by an application.
        """
        parties: dict[str, pb.Applicant | pb.Agent] = {"applicant": applicant}
        if agent is not None:
            parties["agent"] = agent
        stated = {
            field: account_service_pb2.StatedIdentity(
                subject=party.subject, display_name=party.display_name, document=party.document
            )
            for field, party in parties.items()
        }
        asked = {field: each for field, each in stated.items() if anew or not self._is_known(each)}
        if not asked:
            return
        request = account_service_pb2.CheckIdentitiesRequest(identities=asked.values())
        answer = await invoke(
            self._accounts.CheckIdentities,
            request,
            account_service_pb2.CheckIdentitiesResponse,
            to="identity",
            token="",
        )
        for (field, each), matches in zip(asked.items(), answer.matches, strict=True):
            if not matches:
                raise invalid_field(field, "identity.account", "must bear the name and the document of the account")
            self._keep(each)

    def _is_known(self, stated: account_service_pb2.StatedIdentity) -> bool:
        return self._known.get(digest_of(stated), 0.0) > time.monotonic()

    def _keep(self, stated: account_service_pb2.StatedIdentity) -> None:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest_of(stated)] = time.monotonic() + _KNOWN_SECONDS

    async def check_mandate(self, person: str, actor: str, mandate: str, item_codes: tuple[str, ...]) -> None:
        """Raises CASE_MANDATE_NOT_COVERING unless ``person`` may apply for ``actor`` on the item.

        An empty ``mandate`` asks whether they need none: as the legal representative.
        """
        request = mandate_service_pb2.CheckMandateRequest(
            person=person,
            principal=actor,
            mandate=mandate,
            item_codes=item_codes,
            power=identity.MANDATE_POWER_APPLY,
        )
        answer = await invoke(
            self._mandates.CheckMandate, request, mandate_service_pb2.CheckMandateResponse, to="identity", token=""
        )
        if not answer.allowed:
            reason = error_reason_pb2.ErrorReason.Name(answer.reason).removeprefix("ERROR_REASON_")
            raise mandate_not_covering(mandate, item_codes[0] if item_codes else "", reason)

    async def delegation(self, token: str, region: str, transfer: str) -> str:
        """Returns the right to speak for the token's subject to ``region`` about ``transfer``, for store-and-forward."""
        request = token_service_pb2.ExchangeTokenRequest(
            subject_token=token,
            subject_token_type=ACCESS_TOKEN,
            requested_token_type=DELEGATION,
            audience=f"//{region}",
            transfer=transfer,
        )
        return await self._exchange(request)

    async def assertion(self, delegation: str, region: str, transfer: str) -> str:
        """Returns a fresh assertion to ``region`` from a delegation, with this service as the actor."""
        own = await invoke(
            self._tokens.IssueServiceToken,
            token_service_pb2.IssueServiceTokenRequest(),
            token_service_pb2.IssueServiceTokenResponse,
            to="identity",
            token="",
        )
        request = token_service_pb2.ExchangeTokenRequest(
            subject_token=delegation,
            subject_token_type=DELEGATION,
            actor_token=own.access_token,
            actor_token_type=ACCESS_TOKEN,
            requested_token_type=ASSERTION,
            audience=f"//{region}",
            transfer=transfer,
        )
        return await self._exchange(request)

    async def _exchange(self, request: token_service_pb2.ExchangeTokenRequest) -> str:
        answer = await invoke(
            self._tokens.ExchangeToken, request, token_service_pb2.ExchangeTokenResponse, to="identity", token=""
        )
        return answer.access_token


def mandate_not_covering(mandate: str, task_code: str, detail: str) -> PermissionDenied:
    """Builds the error for an agent who may not apply for this applicant."""
    return reasons.case_mandate_not_covering(
        f"the agent may not apply for this applicant: {detail}",
        mandate=mandate,
        task_code=task_code,
    )


class Licenses:
    """What the license service is asked. It fetches what another region holds, and records each use at both sides."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._presentations = presentation_service_pb2_grpc.PresentationServiceStub(channel)
        self._materials = material_service_pb2_grpc.MaterialServiceStub(channel)
        self._licenses = license_service_pb2_grpc.LicenseServiceStub(channel)
        self._types = license_type_service_pb2_grpc.LicenseTypeServiceStub(channel)

    async def check(self, request: license_service_pb2.CheckLicenseRequest) -> None:
        """Asks whether a licence of this content could be issued; raises what the licence service refuses with."""
        answer = license_service_pb2.CheckLicenseResponse
        await invoke(self._licenses.CheckLicense, request, answer, to="license", token="")

    async def missing(self, names: Sequence[str]) -> Collection[str]:
        """Tells which of some licences the licence service does not know."""
        request = license_service_pb2.CompareLicensesRequest(names=names)
        answer = license_service_pb2.CompareLicensesResponse
        return frozenset(
            (await invoke(self._licenses.CompareLicenses, request, answer, to="license", token="")).missing
        )

    async def license_type(self, name: str) -> resources_pb2.LicenseType:
        """Returns a licence type of the catalogue; raises NotFound."""
        request = license_type_service_pb2.GetLicenseTypeRequest(name=name)
        return await invoke(self._types.GetLicenseType, request, resources_pb2.LicenseType, to="license", token="")

    async def redeem(
        self, name: str, context: common_pb2.UseContext, request_id: str
    ) -> presentation_service_pb2.RedeemPresentationResponse:
        """Returns the licences that a presentation shows, each in the state it is in now."""
        request = presentation_service_pb2.RedeemPresentationRequest(name=name, context=context, request_id=request_id)
        answer = presentation_service_pb2.RedeemPresentationResponse
        return await invoke(self._presentations.RedeemPresentation, request, answer, to="license", token="", timeout=15)

    async def material(self, name: str, context: common_pb2.UseContext) -> material_service_pb2.Material:
        """Returns what is known of a material of this region."""
        request = material_service_pb2.GetMaterialRequest(name=name, context=context)
        return await invoke(self._materials.GetMaterial, request, material_service_pb2.Material, to="license", token="")

    async def download(
        self, name: str, context: common_pb2.UseContext
    ) -> tuple[material_service_pb2.MaterialHead, str]:
        """Fetches a material of another region; returns its head and the digest of the bytes that really came."""
        request = material_service_pb2.DownloadMaterialRequest(name=name, context=context)
        head, digest = material_service_pb2.MaterialHead(), hashlib.new("sm3")
        async for part in stream(
            self._materials.DownloadMaterial,
            request,
            material_service_pb2.DownloadMaterialResponse,
            to="license",
            token="",
            timeout=30,
        ):
            if part.HasField("head"):
                head = part.head
            else:
                digest.update(part.chunk)
        return head, f"sm3:{digest.hexdigest()}"
