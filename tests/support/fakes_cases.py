"""The neighbours of case handling, faked at the contract: identity, license, and the gateway that other regions call."""
# ruff: noqa: N802 - gRPC fixes these names

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.errors import PermissionDenied, TongbanError, Unavailable, not_found
from libs.process import Process
from libs.rpc.receipts import RECEIPT
from libs.rpc.token_types import ACCESS_TOKEN
from tests.support.backends import HOST
from tests.support.fake_answers import instead, refuse
from tests.support.patience import PATIENCE
from tests.support.service import Service
from tests.support.values import text_type
from tongban.common.v1 import common_pb2
from tongban.errors.v1 import error_reason_pb2
from tongban.identity.v1 import (
    account_service_pb2,
    account_service_pb2_grpc,
    mandate_service_pb2,
    mandate_service_pb2_grpc,
    region_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import (
    license_service_pb2,
    license_service_pb2_grpc,
    license_type_service_pb2,
    license_type_service_pb2_grpc,
    material_service_pb2_grpc,
    presentation_service_pb2_grpc,
)
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as licenses


def digest(content: bytes) -> str:
    """The digest of a document."""
    return f"sm3:{hashlib.new('sm3', content).hexdigest()}"


def _fake(kind: Any) -> Any:
    """A fake serves a few methods of its contract; the others answer UNIMPLEMENTED."""
    return kind


def _license_type() -> licenses.LicenseType:
    """A type whose fields an item may fill, and needn't."""
    return licenses.LicenseType(
        state=licenses.LICENSE_TYPE_STATE_PUBLISHED,
        holder_category=licenses.HOLDER_CATEGORY_ANY,
        face_fields=[
            licenses.FaceField(key=key, label=key, type=text_type(100)) for key in ("KZ_JYCS", "KZ_JYFW", "FDDBR")
        ],
    )


@dataclass
class Neighbours:
    """What the fakes of one region know, what they were asked, and how they fail.

    Attributes:
        code: the region.
        service: the service under test, once it runs; calls of other regions are passed on to it.
        others: the fakes of the other regions, by code.
        accounts: name and document number of accounts, by their names.
        identity_error: what identity refuses to compare names with; without it, it compares.
        identities_asked: how often it was asked to.
        revoked: mandates that stand no more, and principals whom nobody represents by law any more.
        mandate_error: what it refuses with to judge a mandate.
        exchange_error: what it refuses with to change anybody's token for an assertion or a delegation.
        kept_for: for how many seconds a delegation has been kept already when it is made: as if the other region had been away.
        tells_delegated: whether an assertion says when its delegation was made; regions of before don't.
        compare: tells which licences are not known, as the licence service would; without it, all are known.
        calls: what other regions brought, by RPC; not what they asked of capabilities.
        lost_answers: so many answers to other regions get lost after the call was done.
        repeat: every call of another region is passed on so many times more.
        lists_instead: what ListCases answers another region with, one after another, in place of the service: a message, an
            error, a bare status, bytes, or an event that it waits for.
    """

    code: str
    address: str = ""
    service: Service | None = None
    others: dict[str, "Neighbours"] = field(default_factory=dict)
    trusted: set[str] = field(default_factory=set)
    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    identity_error: TongbanError | None = None
    identities_asked: int = 0
    mandate_reason: error_reason_pb2.ErrorReason.ValueType = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    mandates_asked: list[mandate_service_pb2.CheckMandateRequest] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    mandate_error: TongbanError | None = None
    presented: dict[str, list[licenses.License]] = field(default_factory=dict)
    files: dict[str, tuple[materials.Material, bytes]] = field(default_factory=dict)
    contexts: list[common_pb2.UseContext] = field(default_factory=list)
    license_error: TongbanError | None = None
    license_type: licenses.LicenseType | None = field(default_factory=_license_type)
    licenses_checked: list[license_service_pb2.CheckLicenseRequest] = field(default_factory=list)
    check_error: TongbanError | None = None
    exchange_error: TongbanError | None = None
    kept_for: int = 0
    tells_delegated: bool = True
    compare: Callable[[license_service_pb2.CompareLicensesRequest], Awaitable[Any]] | None = None
    lost_answers: int = 0
    repeat: int = 0
    calls: list[str] = field(default_factory=list)
    lists_instead: list[Message | TongbanError | asyncio.Event | grpc.StatusCode | bytes] = field(default_factory=list)

    def put_into(self, process: Process) -> None:
        """Makes the fakes the neighbours of ``process``."""
        for name in ("identity", "license"):
            process._channels[name] = grpc.aio.insecure_channel(self.address)

    def add_license(self, name: str, content: bytes, **more: Any) -> str:
        """Puts a licence behind a presentation; returns the digest of its file."""
        made = licenses.License(
            name="licenses/1",
            identifier="1.2.156.3005.2.X",
            state=licenses.LICENSE_STATE_ISSUED,
            ofd=common_pb2.DocumentRef(digest=digest(content), media_type="application/ofd", size_bytes=len(content)),
        )
        made.MergeFrom(licenses.License(**more))
        self.presented.setdefault(name, []).append(made)
        return digest(content)

    def add_file(self, name: str, content: bytes, owner: str, case: str = "") -> str:
        """Puts a file into the material store; returns its digest."""
        made = materials.Material(
            name=name,
            owner=owner,
            case=case,
            state=materials.MATERIAL_STATE_ACTIVE,
            document=common_pb2.DocumentRef(digest=digest(content), media_type="image/png", size_bytes=len(content)),
        )
        self.files[name] = (made, content)
        return digest(content)


class _Accounts(account_service_pb2_grpc.AccountServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckIdentities(self, request: account_service_pb2.CheckIdentitiesRequest, context: Any) -> Any:
        self.known.identities_asked += 1
        if self.known.identity_error is not None:
            await refuse(context, self.known.identity_error)
        matches = [self._is_so(each) for each in request.identities]
        return account_service_pb2.CheckIdentitiesResponse(matches=matches)

    def _is_so(self, stated: account_service_pb2.StatedIdentity) -> bool:
        region, subject = "", stated.subject
        if subject.startswith("//"):
            region, subject = subject[2:8], subject[9:]
        accounts = self.known.accounts if region in ("", self.known.code) else self._abroad(region)
        return accounts.get(subject) == (stated.display_name, stated.document.number)

    def _abroad(self, region: str) -> dict[str, tuple[str, str]]:
        return self.known.others[region].accounts if region in self.known.others else {}


class _Mandates(mandate_service_pb2_grpc.MandateServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckMandate(self, request: mandate_service_pb2.CheckMandateRequest, context: Any) -> Any:
        self.known.mandates_asked.append(request)
        if self.known.mandate_error is not None:
            await refuse(context, self.known.mandate_error)
        reason = self.known.mandate_reason
        if not reason and not self.known.revoked.isdisjoint({request.mandate or request.principal}):
            reason = error_reason_pb2.ERROR_REASON_MANDATE_NOT_ACTIVE
        return mandate_service_pb2.CheckMandateResponse(allowed=not reason, reason=reason)


class _Regions(region_service_pb2_grpc.RegionServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def ResolveRegion(self, request: Any, context: Any) -> Any:
        code = request.name.removeprefix("regions/")
        if code not in self.known.trusted:
            await refuse(context, PermissionDenied("REGION_NOT_TRUSTED", "not trusted", region=code))
        anchor = identity.RegionAnchor(gateway_url=f"http://{self.known.others[code].address}")
        return identity.Region(name=request.name, display_name=code, anchor=anchor)


class _Tokens(token_service_pb2_grpc.TokenServiceServicer):
    """Delegations and assertions as JSON; access tokens are real ones, signed by the service's test issuer."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def IssueServiceToken(self, request: Any, context: Any) -> Any:
        return token_service_pb2.IssueServiceTokenResponse(access_token="service", expires_in=600)

    async def ExchangeToken(self, request: token_service_pb2.ExchangeTokenRequest, context: Any) -> Any:
        made = await self._made(request, context)
        return token_service_pb2.ExchangeTokenResponse(access_token=made, expires_in=600)

    async def _made(self, request: token_service_pb2.ExchangeTokenRequest, context: Any) -> str:
        home = f"//{self.known.code}"
        if request.subject_token != "service" and self.known.exchange_error is not None:
            await refuse(context, self.known.exchange_error)
        if request.subject_token_type == ACCESS_TOKEN and request.subject_token != "service" and not request.transfer:
            return await self._asserted(request, context)
        if request.subject_token == "service":
            return json.dumps({"region": self.known.code, "sub": f"{home}/services/cases"})
        if request.requested_token_type.endswith("delegation"):
            claims = claims_in(request.subject_token)
            kept = {"claims": claims, "transfer": request.transfer, "audience": request.audience}
            return json.dumps({**kept, "made": int(time.time()) - self.known.kept_for})
        asked = json.loads(request.subject_token)
        if "claims" in asked:
            assert (asked["transfer"], asked["audience"]) == (request.transfer, request.audience)
            told = {"delegated": asked["made"]} if self.known.tells_delegated else {}
            return json.dumps(self._assertion(asked["claims"], request.transfer) | told)
        if asked["region"] not in self.known.trusted:
            await refuse(context, PermissionDenied("REGION_NOT_TRUSTED", "not trusted", region=asked["region"]))
        assert self.known.service is not None
        return self.known.service.issuer.token(asked.pop("sub"), asked.pop("actor_kind", "REGION"), **asked)

    async def _asserted(self, request: token_service_pb2.ExchangeTokenRequest, context: Any) -> str:
        """An assertion for a person who asks in their own name."""
        if request.audience.removeprefix("//") not in self.known.trusted:
            await refuse(context, PermissionDenied("REGION_NOT_TRUSTED", "not trusted", region=request.audience))
        claims, home = claims_in(request.subject_token), f"//{self.known.code}/"
        names = {key: home + claims[key] for key in ("sub", "org", "mandate", "human") if claims.get(key)}
        return json.dumps(
            {"region": self.known.code, "actor_kind": claims["actor_kind"], "acr": claims["acr"], **names}
        )

    def _assertion(self, claims: dict[str, Any], transfer: str) -> dict[str, Any]:
        home = f"//{self.known.code}/"
        act = {"sub": f"{home}services/cases", "act": {"sub": home + claims["act"]["sub"]}}
        names = {key: home + claims[key] for key in ("org", "mandate", "human") if claims.get(key)}
        known = {"region": self.known.code, "acr": claims["acr"], "auth_time": claims.get("auth_time", 0)}
        return {**known, "sub": home + claims["sub"], "act": act, "transfer": home + transfer, **names}


def claims_in(token: str) -> dict[str, Any]:
    """What an access token says."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def _tell(context: Any, record: str) -> None:
    """Goes ahead of the answer with the receipt of a record."""
    receipt = common_pb2.Receipt(record=record, hash_salt=bytes(32))
    await context.send_initial_metadata([(RECEIPT, receipt.SerializeToString())])


class _Presentations(presentation_service_pb2_grpc.PresentationServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def RedeemPresentation(self, request: presentations.RedeemPresentationRequest, context: Any) -> Any:
        self.known.contexts.append(request.use_context)
        if self.known.license_error is not None:
            await refuse(context, self.known.license_error)
        if request.name not in self.known.presented:
            await refuse(context, not_found(request.name))
        await _tell(context, "license/auditRecords/1")
        return presentations.RedeemPresentationResponse(
            presentation=presentations.Presentation(name=request.name),
            licenses=[presentations.RedeemedLicense(license=each) for each in self.known.presented[request.name]],
        )


class _Licenses(license_service_pb2_grpc.LicenseServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def CheckLicense(self, request: license_service_pb2.CheckLicenseRequest, context: Any) -> Any:
        self.known.licenses_checked.append(request)
        if self.known.check_error is not None:
            await refuse(context, self.known.check_error)
        return license_service_pb2.CheckLicenseResponse()

    async def CompareLicenses(self, request: license_service_pb2.CompareLicensesRequest, context: Any) -> Any:
        if self.known.compare is not None:
            return await self.known.compare(request)
        return license_service_pb2.CompareLicensesResponse()


class _Types(license_type_service_pb2_grpc.LicenseTypeServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def GetLicenseType(self, request: license_type_service_pb2.GetLicenseTypeRequest, context: Any) -> Any:
        if self.known.check_error is not None:
            await refuse(context, self.known.check_error)
        if self.known.license_type is None:
            await refuse(context, not_found(request.name))
        return self.known.license_type


class _Materials(material_service_pb2_grpc.MaterialServiceServicer):
    def __init__(self, known: Neighbours) -> None:
        self.known = known

    async def _file(self, name: str, context: Any) -> tuple[materials.Material, bytes]:
        if name not in self.known.files:
            await refuse(context, not_found(name))
        return self.known.files[name]

    async def GetMaterial(self, request: materials.GetMaterialRequest, context: Any) -> Any:
        self.known.contexts.append(request.use_context)
        material, _ = await self._file(request.name, context)
        await _tell(context, "license/auditRecords/3")
        return material

    async def DownloadMaterial(self, request: materials.DownloadMaterialRequest, context: Any) -> AsyncIterator[Any]:
        self.known.contexts.append(request.use_context)
        material, content = await self._file(request.name, context)
        await _tell(context, "license/auditRecords/2")
        yield materials.DownloadMaterialResponse(material=material)
        for start in range(0, len(content), 10):
            yield materials.DownloadMaterialResponse(chunk=content[start : start + 10])


class _Gateway(grpc.GenericRpcHandler):
    """Passes other regions' calls on to the service under test, over mTLS as the gateway does."""

    def __init__(self, known: Neighbours) -> None:
        self.known = known

    def service(self, details: Any) -> Any:
        lists = details.method == "/tongban.cases.v1.CaseService/ListCases"
        if not (lists or details.method.startswith("/tongban.cases.v1.ExchangeService/")):
            return None

        async def forward(data: bytes, context: Any) -> bytes:
            known = self.known
            asks = details.method.endswith("/GetCapabilities")
            known.calls += [] if asks else [details.method.rpartition("/")[2]]
            if known.service is None:
                await refuse(context, Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="cases"))
            assert known.service is not None
            if lists and known.lists_instead:
                return await instead(known.lists_instead.pop(0), context)
            metadata = [pair for pair in context.invocation_metadata() if pair[0] == "authorization"]
            call: Any = known.service.channel.unary_unary(details.method)
            try:
                answers = [await call(data, metadata=metadata, timeout=PATIENCE) for _ in range(1 + known.repeat)]
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata() or ()))
            assert all(answer == answers[0] for answer in answers), "a repeat got another receipt"
            if known.lost_answers and not asks:
                known.lost_answers -= 1
                await refuse(context, Unavailable("DEPENDENCY_UNAVAILABLE", "lost", dependency="network"))
            answer: bytes = answers[0]
            return answer

        return grpc.unary_unary_rpc_method_handler(forward)


@asynccontextmanager
async def neighbours(code: str) -> AsyncIterator[Neighbours]:
    """Serves all fakes of one region on one port of the loopback."""
    known = Neighbours(code)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Gateway(known),))
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(_fake(_Accounts)(known), server)
    mandate_service_pb2_grpc.add_MandateServiceServicer_to_server(_fake(_Mandates)(known), server)
    region_service_pb2_grpc.add_RegionServiceServicer_to_server(_fake(_Regions)(known), server)
    token_service_pb2_grpc.add_TokenServiceServicer_to_server(_fake(_Tokens)(known), server)
    presentation_service_pb2_grpc.add_PresentationServiceServicer_to_server(_fake(_Presentations)(known), server)
    material_service_pb2_grpc.add_MaterialServiceServicer_to_server(_fake(_Materials)(known), server)
    license_service_pb2_grpc.add_LicenseServiceServicer_to_server(_fake(_Licenses)(known), server)
    license_type_service_pb2_grpc.add_LicenseTypeServiceServicer_to_server(_fake(_Types)(known), server)
    known.address = f"{HOST}:{server.add_insecure_port(f'{HOST}:0')}"
    await server.start()
    try:
        yield known
    finally:
        await server.stop(None)
