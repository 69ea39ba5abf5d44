"""One region that runs, with an officer who seals and keys of openssl that the region's authority has certified."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office, open_office
from deploy.local.launch import Cluster
from deploy.local.own_settings import FILE
from deploy.local.regions import LIUAN
from tests.peers.fetch import GO, NODE, OFDRW, run
from tests.support.partner_certificates import PartnersDoor
from tests.support.ports import free_port
from tests.support.regions import gateway_of
from tests.support.webhook_partner import RECEIVERS_HERE
from tongban.common.v1 import common_pb2
from tongban.seal.v1 import (
    certificate_service_pb2,
    certificate_service_pb2_grpc,
    resources_pb2,
    seal_service_pb2,
    seal_service_pb2_grpc,
    sealing_service_pb2,
    sealing_service_pb2_grpc,
    validation_service_pb2,
    validation_service_pb2_grpc,
)

DISTID = "distid:1234567812345678"
"""The identifier that GM/T 0009 gives everybody; openssl has to be told."""
SEAL_X_MM, SEAL_Y_MM = 150, 240
_CENTER = sealing_service_pb2.PagePoint(page=1, center_x_mm=SEAL_X_MM, center_y_mm=SEAL_Y_MM)
"""Where the region's seal is put: its centre."""


@dataclass(frozen=True)
class Certified:
    """A key of openssl's making, and what the region's authority says of it.

    Attributes:
        key: PKCS #8, DER.
        file: the certificate, DER.
        certificate: as the region answered it.
    """

    key: Path
    file: Path
    certificate: resources_pb2.Certificate


@dataclass
class Town:
    """One region, seen through its gateway by a bureau that seals."""

    office: Office
    seal: resources_pb2.Seal

    @property
    def target(self) -> str:
        """``host:port`` of the gateway."""
        return self.office.gateway.url.removeprefix("http://")

    async def sealed(self, document: bytes) -> bytes:
        """Has the region seal a document on its first page."""
        stub = sealing_service_pb2_grpc.SealingServiceStub(self.office.gateway.channel)
        request = sealing_service_pb2.SealDocumentRequest(
            request_id=request_id(),
            seal=self.seal.name,
            content=document,
            media_type="application/ofd",
            placements=[sealing_service_pb2.StampPlacement(point=_CENTER)],
            use_context=common_pb2.UseContext(purpose_code="LICENSE_ISSUING", purpose="制发电子证照"),
        )
        token = await self.office.token_of("deciding")
        answer = sealing_service_pb2.SealDocumentResponse
        return (await self.office.gateway.call(stub.SealDocument, request, answer, token)).document

    async def validated(self, document: bytes) -> validation_service_pb2.ValidationReport:
        """Has the region validate a document, as anyone may."""
        stub = validation_service_pb2_grpc.ValidationServiceStub(self.office.gateway.channel)
        request = validation_service_pb2.ValidateDocumentRequest(content=document)
        return await self._report(stub.ValidateDocument, request)

    async def validated_seal(self, seal: bytes) -> validation_service_pb2.ValidationReport:
        """Has the region validate a seal alone."""
        stub = validation_service_pb2_grpc.ValidationServiceStub(self.office.gateway.channel)
        return await self._report(stub.ValidateSeal, validation_service_pb2.ValidateSealRequest(content=seal))

    async def _report(self, method: object, request: object) -> validation_service_pb2.ValidationReport:
        answer = validation_service_pb2.ValidationReport
        return await self.office.gateway.call(method, request, answer, "")  # type: ignore[arg-type]

    async def certified(self, folder: Path, name: str, kind: resources_pb2.CertificateKind.ValueType) -> Certified:
        """Has openssl make a key and a request for it, and the region's authority certify it."""
        pem, key, request, file = (folder / f"{name}.{end}" for end in ("pem", "pk8", "csr", "der"))
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", pem)
        run("openssl", "pkcs8", "-topk8", "-nocrypt", "-in", pem, "-outform", "DER", "-out", key)
        subject = ("-subj", f"/C=CN/O=Somebody/CN={name}")
        signing = ("-sm3", "-sigopt", DISTID)
        run("openssl", "req", "-new", "-key", pem, *subject, *signing, "-outform", "DER", "-out", request)
        stub = certificate_service_pb2_grpc.CertificateServiceStub(self.office.gateway.channel)
        asked = certificate_service_pb2.IssueCertificateRequest(
            request_id=request_id(), kind=kind, request=request.read_bytes()
        )
        token = await self.office.admin_token()
        made = await self.office.gateway.call(stub.IssueCertificate, asked, resources_pb2.Certificate, token)
        file.write_bytes(made.der)
        return Certified(key, file, made)


@pytest.fixture(scope="session")
def partners_door(tmp_path_factory: pytest.TempPathFactory) -> PartnersDoor:
    """The region's listener for partners who come with certificates."""
    return PartnersDoor.made(tmp_path_factory.mktemp("partners"), free_port())


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory, partners_door: PartnersDoor) -> Iterator[tuple[Path, Cluster]]:
    """One region's processes."""
    folder = tmp_path_factory.mktemp("region")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)  # PostgreSQL runs as another user where the tests run as root
    state = folder / "state"
    state.mkdir(mode=0o755)
    (state / FILE).write_text(f"{RECEIVERS_HERE}\n{partners_door.settings(LIUAN.id)}", encoding="utf-8")
    with Cluster(state, (free_port(),), services=("identity", "license", "seal")) as cluster:
        yield state, cluster


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(running: tuple[Path, Cluster]) -> AsyncIterator[Town]:
    """The region with a bureau, and a seal that its deciding officer may use."""
    state, cluster = running
    office = await open_office(gateway_of(LIUAN, cluster), state / LIUAN.code / "credentials.json")
    yield Town(office, await _seal_of(office))
    await office.gateway.close()


async def _seal_of(office: Office) -> resources_pb2.Seal:
    stub = seal_service_pb2_grpc.SealServiceStub(office.gateway.channel)
    seal = resources_pb2.Seal(
        display_name=f"{office.department_name}电子公章",
        kind=resources_pb2.SEAL_KIND_OFFICIAL,
        rank=resources_pb2.SEAL_RANK_COUNTY,
        owner=office.department,
        owner_uscc=office.uscc,
        round=resources_pb2.RoundSeal(arc_text=office.department_name),
        users=[resources_pb2.SealUser(subject=office.staff["deciding"])],
    )
    request = seal_service_pb2.CreateSealRequest(seal=seal, request_id=request_id())
    token = await office.token_of("custody")
    return await office.gateway.call(stub.CreateSeal, request, resources_pb2.Seal, token)


@pytest.fixture(scope="session")
def jars() -> Path:
    """ofdrw's jars, and what they hang on."""
    return OFDRW.ready() / "lib"


@pytest.fixture(scope="session")
def go_bin() -> Path:
    """The folder of grpcurl and ghz."""
    return GO.ready()


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of node_modules with grpc-js."""
    return NODE.ready()


def reason_in(text: str) -> str:
    """The reason of the ErrorInfo in an error that was printed as JSON."""
    details = json.loads(text)["details"]
    return next(str(each["reason"]) for each in details if "reason" in each)
