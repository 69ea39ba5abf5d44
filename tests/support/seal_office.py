"""A seal officer and a licence service who talk to a running seal service."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import sqlalchemy as sa
from google.api import httpbody_pb2

from libs import names
from libs.db.schema import outbox
from libs.errors import not_found
from libs.process import Process
from libs.rpc import status
from libs.security.withdrawals import Withdrawals
from tests.support import sql
from tests.support.backends import HOST
from tests.support.outbox import emitted
from tests.support.patience import invoke
from tests.support.service import Ground, Service, serving
from tests.support.tokens import human_of
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import account_service_pb2 as accounts_pb
from tongban.identity.v1 import account_service_pb2_grpc, region_service_pb2_grpc, staff_service_pb2_grpc
from tongban.identity.v1 import region_service_pb2 as regions_pb
from tongban.identity.v1 import resources_pb2 as identity_pb
from tongban.identity.v1 import staff_service_pb2 as staff_pb
from tongban.seal.v1 import certificate_service_pb2 as certificates_pb
from tongban.seal.v1 import (
    certificate_service_pb2_grpc,
    seal_service_pb2_grpc,
    sealing_service_pb2_grpc,
    validation_service_pb2_grpc,
)
from tongban.seal.v1 import resources_pb2 as resources
from tongban.seal.v1 import seal_service_pb2 as seals_pb
from tongban.seal.v1 import sealing_service_pb2 as sealings_pb
from tongban.seal.v1 import validation_service_pb2 as validations_pb

OWNER = "departments/01890000-0000-7000-8000-000000000001"
OWNER_NAME = "测试区行政审批局"
SECOND_NAME = "Café商会"
"""Another name of the same owner, whose letters can be written in two ways."""
OFFICER = "staff/01890000-0000-7000-8000-000000000002"
SECOND_HAT = "staff/01890000-0000-7000-8000-000000000003"
"""Another staff record of the officer's."""
NO_DEPARTMENT = "departments/00000000-0000-0000-0000-000000000000"
USE = common_pb2.UseContext(
    purpose_code="LICENSE_ISSUING", purpose="制发电子证照", case="cases/01890000-0000-7000-8000-0000000000aa"
)
LICENSE = resources.SealUser(subject="services/license")
USCC = "91350100M000100Y43"
"""The example of GB 32100-2015."""
HASHES = [hashlib.new("sm3", bytes((number,))).digest() for number in range(5)]
"""Digests of documents that stay with their owner."""


def fresh() -> str:
    """A new request_id."""
    return str(uuid.uuid4())


def order(*users: resources.SealUser, **changes: Any) -> seals_pb.CreateSealRequest:
    """A request for a county department's seal that the licence service may use; ``changes`` are the seal's, or its shape's."""
    texts: dict[str, Any] = {"arc_text": OWNER_NAME, "bottom_text": "电子证照专用章"}
    texts |= {key: changes.pop(key) for key in texts if key in changes}
    fields: dict[str, Any] = {
        "display_name": "测试区行政审批局电子证照专用章",
        "kind": resources.SEAL_KIND_BUSINESS,
        "rank": resources.SEAL_RANK_COUNTY,
        "owner": OWNER,
        "owner_uscc": USCC,
        "round": resources.RoundSeal(**texts),
        "users": users or (LICENSE,),
        **changes,
    }
    return seals_pb.CreateSealRequest(seal=resources.Seal(**fields), request_id=fresh())


@dataclass
class SealOffice:
    """Calls as an officer through the gateway, or as the licence service."""

    service: Service
    seals: Any = field(init=False)
    certificates: Any = field(init=False)
    validations: Any = field(init=False)
    sealings: Any = field(init=False)
    sealings_of_license: Any = field(init=False)

    def __post_init__(self) -> None:
        channel = self.service.channel
        self.seals = seal_service_pb2_grpc.SealServiceStub(channel)
        self.certificates = certificate_service_pb2_grpc.CertificateServiceStub(channel)
        self.validations = validation_service_pb2_grpc.ValidationServiceStub(channel)
        self.sealings = sealing_service_pb2_grpc.SealingServiceStub(channel)
        self._license = self.service.channel_as("license")
        self.sealings_of_license = sealing_service_pb2_grpc.SealingServiceStub(self._license)

    async def close(self) -> None:
        """Closes the licence service's channel."""
        await self._license.close()

    def token(self, subject: str = OFFICER, kind: str = "STAFF", **claims: Any) -> str:
        """A token, the officer's unless said otherwise."""
        return self.service.issuer.token(subject, kind, **claims)

    async def ask(self, method: Any, request: Any, answer: Any, token: str | None = None) -> Any:
        """Calls with a token: the officer's, or the one given."""
        return await invoke(method, request, answer, to="seal", token=self.token() if token is None else token)

    async def make(self, request: seals_pb.CreateSealRequest | None = None) -> resources.Seal:
        """Makes a seal."""
        made: resources.Seal = await self.ask(self.seals.CreateSeal, request or order(), resources.Seal)
        return made

    async def revoke(self, seal: resources.Seal) -> resources.Seal:
        """Ends a seal."""
        request = seals_pb.RevokeSealRequest(name=seal.name, request_id=fresh(), reason="机构撤并")
        revoked: resources.Seal = await self.ask(self.seals.RevokeSeal, request, resources.Seal)
        return revoked

    async def revoke_certificate(self, name: str) -> None:
        """Ends a certificate, and with it what hangs on it."""
        request = certificates_pb.RevokeCertificateRequest(
            name=name, request_id=fresh(), reason=resources.REVOCATION_REASON_KEY_COMPROMISE
        )
        await self.ask(self.certificates.RevokeCertificate, request, resources.Certificate)

    async def seal_document(self, request: sealings_pb.SealDocumentRequest) -> sealings_pb.SealDocumentResponse:
        """Seals a document as the licence service."""
        return await invoke(
            self.sealings_of_license.SealDocument, request, sealings_pb.SealDocumentResponse, to="seal", token=""
        )

    async def seal_digests(self, request: sealings_pb.SealDigestsRequest) -> sealings_pb.SealDigestsResponse:
        """Seals digests as the licence service."""
        return await invoke(
            self.sealings_of_license.SealDigests, request, sealings_pb.SealDigestsResponse, to="seal", token=""
        )

    async def sealing(self, name: str) -> resources.Sealing:
        """Reads one use of a seal."""
        use: resources.Sealing = await self.ask(
            self.sealings.GetSealing, sealings_pb.GetSealingRequest(name=name), resources.Sealing
        )
        return use

    async def rows(self, table: sa.Table) -> list[sql.Row]:
        """All rows of a table of the service."""
        async with self.service.process.database.read() as connection:
            return list((await sql.execute(connection, sa.select(table))).all())

    async def events(self) -> list[tuple[str, str, bytes]]:
        """What the service has told so far: type, subject and data of each event."""
        async with self.service.process.database.read() as connection:
            found = (await sql.execute(connection, outbox.select().order_by(outbox.c.seq))).all()
        return [(row.type, row.subject, emitted(self.service.process.wire, row)) for row in found]

    async def validate(self, document: bytes) -> validations_pb.ValidationReport:
        """Validates a document without a token, as anyone may."""
        request = validations_pb.ValidateDocumentRequest(content=document)
        report: validations_pb.ValidationReport = await self.ask(
            self.validations.ValidateDocument, request, validations_pb.ValidationReport, token=""
        )
        return report

    async def issue(self, request: certificates_pb.IssueCertificateRequest) -> resources.Certificate:
        """Has a certificate issued."""
        issued: resources.Certificate = await self.ask(
            self.certificates.IssueCertificate, request, resources.Certificate
        )
        return issued

    async def crl(self) -> bytes:
        """Fetches the revocation list without a token."""
        answer = await self.ask(
            self.certificates.GetCrl, certificates_pb.GetCrlRequest(), httpbody_pb2.HttpBody, token=""
        )
        return bytes(answer.data)


def at(page: int, x: float, y: float) -> sealings_pb.StampPlacement:
    """A place on a page, in millimetres."""
    return sealings_pb.StampPlacement(point=sealings_pb.PagePoint(page=page, center_x_mm=x, center_y_mm=y))


def document_request(seal: resources.Seal, content: bytes | None, **changes: Any) -> sealings_pb.SealDocumentRequest:
    """Asks for one seal on the first page."""
    fields: dict[str, Any] = {
        "request_id": fresh(),
        "seal": seal.name,
        "content": content,
        "media_type": "application/ofd",
        "placements": [at(1, 150, 240)],
        "use_context": USE,
        **changes,
    }
    return sealings_pb.SealDocumentRequest(**fields)


def digest_request(seal: resources.Seal, hashes: Sequence[bytes], **changes: Any) -> sealings_pb.SealDigestsRequest:
    """Asks for seals on digests."""
    digests = [
        sealings_pb.DigestInput(
            data_digest=f"sm3:{value.hex()}", property_info=f"/Doc_0/Signs/Sign_{place}/Signature.xml"
        )
        for place, value in enumerate(hashes, 1)
    ]
    fields: dict[str, Any] = {
        "request_id": fresh(),
        "seal": seal.name,
        "digests": digests,
        "use_context": USE,
        **changes,
    }
    return sealings_pb.SealDigestsRequest(**fields)


class _Accounts(account_service_pb2_grpc.AccountServiceServicer):
    """Identity, which knows the names of the one department and believes the rest."""

    async def CheckIdentities(self, request: accounts_pb.CheckIdentitiesRequest, context: Any) -> Any:  # noqa: N802
        matches = [
            each.subject != OWNER or any(names.same(each.display_name, known) for known in (OWNER_NAME, SECOND_NAME))
            for each in request.identities
        ]
        return accounts_pb.CheckIdentitiesResponse(matches=matches)


class _Staff(staff_service_pb2_grpc.StaffServiceServicer):
    """Identity, whose staff are the human beings that their tokens say."""

    async def GetStaff(self, request: staff_pb.GetStaffRequest, context: Any) -> Any:  # noqa: N802
        return identity_pb.Staff(
            name=request.name, person=human_of(OFFICER if request.name == SECOND_HAT else request.name, {})
        )

    async def GetDepartment(self, request: staff_pb.GetDepartmentRequest, context: Any) -> Any:  # noqa: N802
        if request.name == NO_DEPARTMENT:
            error = not_found(request.name)
            details = status.to_status(error).SerializeToString()
            await context.abort(status.grpc_code(error), error.message, ((status.DETAILS_KEY, details),))
        return identity_pb.Department(name=request.name)


class _Regions(region_service_pb2_grpc.RegionServiceServicer):
    """Identity, which trusts whoever is asked for."""

    async def ResolveRegion(self, request: regions_pb.ResolveRegionRequest, context: Any) -> Any:  # noqa: N802
        anchor = identity_pb.RegionAnchor(gateway_url=f"http://{HOST}:1")
        return identity_pb.Region(name=request.name, display_name="常州市天宁区", anchor=anchor)


@asynccontextmanager
async def _identity() -> AsyncIterator[str]:
    server, kind = grpc.aio.server(), cast("Any", _Accounts)
    account_service_pb2_grpc.add_AccountServiceServicer_to_server(kind(), server)
    staff_service_pb2_grpc.add_StaffServiceServicer_to_server(cast("Any", _Staff)(), server)
    region_service_pb2_grpc.add_RegionServiceServicer_to_server(cast("Any", _Regions)(), server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    yield f"{HOST}:{port}"
    await server.stop(None)


@asynccontextmanager
async def seal_office(
    ground: Ground, withdrawals: Withdrawals | None = None, **extra: Any
) -> AsyncIterator[SealOffice]:
    """Runs the seal service, with identity beside it, for the length of the block; ``withdrawals`` are those that it goes by."""
    async with _identity() as address:

        def prepare(process: Process) -> None:
            process._channels["identity"] = grpc.aio.insecure_channel(address)
            process.withdrawals = withdrawals or process.withdrawals

        async with serving(ground, "seal", prepare=prepare, **extra) as service:
            office = SealOffice(service)
            try:
                yield office
            finally:
                await office.close()
