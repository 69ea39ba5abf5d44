"""The license service between faked neighbours, and the calls that most tests begin with."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest_asyncio
from google.protobuf.message import Message

from libs.clock import FakeClock
from libs.events.cloud_event import Event
from libs.ids.synthetic import SyntheticPopulation
from libs.sweeps.sweep import Sweep
from services.license.app import app
from tests.support.fakes_license import DEPARTMENT, DEPARTMENT_CODE, DEPARTMENT_NAME, Neighbours, neighbours
from tests.support.patience import invoke_recorded
from tests.support.service import Ground, Service, serving
from tests.support.values import messages, text_type
from tongban.cases.v1 import events_pb2 as case_events
from tongban.cases.v1 import resources_pb2 as case_resources
from tongban.common.v1 import common_pb2, party_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import (
    license_service_pb2_grpc,
    license_type_service_pb2,
    license_type_service_pb2_grpc,
    material_service_pb2_grpc,
    presentation_service_pb2_grpc,
    use_service_pb2_grpc,
    verification_service_pb2_grpc,
)
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as verification

Answer = TypeVar("Answer", bound=Message)
PEOPLE = SyntheticPopulation("license-tests")
FIRM = "organizations/00000000-0000-7000-8000-0000000000f1"
PERSON = "persons/00000000-0000-7000-8000-0000000000a1"
STRANGER = "persons/00000000-0000-7000-8000-0000000000a2"
STAFF = "staff/00000000-0000-7000-8000-0000000000b1"
OTHER_DEPARTMENT = "departments/00000000-0000-7000-8000-0000000000d2"
CASE = "cases/00000000-0000-7000-8000-0000000000c1"
ITEM = "serviceItems/00000000-0000-7000-8000-0000000000f1"
FIRM_CODE = PEOPLE.uscc()
TYPE_AUTHORITY = PEOPLE.uscc("11")


def request_id() -> str:
    return str(uuid.uuid4())


def context(purpose: str = "核验证照", **more: str) -> common_pb2.UseContext:
    return common_pb2.UseContext(**{"purpose_code": "LICENSE_CHECK", "purpose": purpose, **more})


@dataclass
class License:
    """The service under test with its stubs, tokens and neighbours."""

    service: Service
    known: Neighbours
    clock: FakeClock
    types: license_type_service_pb2_grpc.LicenseTypeServiceStub = field(init=False)
    told: list[common_pb2.Receipt] = field(default_factory=list)
    """The receipts of the calls, in the order in which they were answered; of one that went abroad that of the region there."""

    def __post_init__(self) -> None:
        channel = self.service.channel
        self.types = license_type_service_pb2_grpc.LicenseTypeServiceStub(channel)
        self.licenses = license_service_pb2_grpc.LicenseServiceStub(channel)
        self.verification = verification_service_pb2_grpc.VerificationServiceStub(channel)
        self.presentations = presentation_service_pb2_grpc.PresentationServiceStub(channel)
        self.materials = material_service_pb2_grpc.MaterialServiceStub(channel)
        self.uses = use_service_pb2_grpc.UseServiceStub(channel)

    def token(self, subject: str, kind: str, **claims: Any) -> str:
        return self.service.issuer.token(subject, kind, claims.pop("scope", "license.*"), **claims)

    def staff(self, department: str = DEPARTMENT) -> str:
        return self.token(STAFF, "STAFF", dept=department)

    def person(self, subject: str = PERSON, **claims: Any) -> str:
        return self.token(subject, "PERSON", **claims)

    def region(self, code: str = "320402", **claims: Any) -> str:
        return self.token(f"//{code}/services/license", "REGION", region=code, **claims)

    async def call(self, method: Any, request: Message, answer: type[Answer], token: str) -> Answer:
        got, receipt = await invoke_recorded(method, request, answer, to="license", token=token)
        self.told += [receipt] if receipt is not None else []
        return got

    async def license_type(self, code: str = "001", **changes: Any) -> resources.LicenseType:
        """Creates and publishes a type."""
        fields: dict[str, Any] = {
            "code": TYPE_AUTHORITY + code,
            "display_name": "食品经营许可证",
            "defining_authority": "测试局",
            "holder_category": resources.HOLDER_CATEGORY_ANY,
            "validity_months": 60,
            "face_fields": [
                resources.FaceField(key="FDDBR", label="法定代表人", required=True, type=text_type(50)),
                resources.FaceField(key="JYXM", label="经营项目", type=text_type(200)),
            ],
            "page_layout": resources.PAGE_LAYOUT_A4_LANDSCAPE,
            "item_codes": ["item-1"],
            "original_item_codes": ["item-original"],
            **changes,
        }
        created = await self.call(
            self.types.CreateLicenseType,
            license_type_service_pb2.CreateLicenseTypeRequest(
                license_type=resources.LicenseType(**fields), request_id=request_id()
            ),
            resources.LicenseType,
            self.staff(),
        )
        request = license_type_service_pb2.PublishLicenseTypeRequest(
            name=created.name, etag=created.etag, request_id=request_id()
        )
        return await self.call(self.types.PublishLicenseType, request, resources.LicenseType, self.staff())

    def order(self, kind: str, **changes: Any) -> pb.IssueLicenseRequest:
        """An order for a licence of the firm."""
        fields: dict[str, Any] = {
            "license_type": kind,
            "face_fields": messages(FDDBR="测试甲", JYXM="预包装食品销售"),
            "issuer": resources.Issuer(department=DEPARTMENT, display_name=DEPARTMENT_NAME, code=DEPARTMENT_CODE),
            "holders": [firm_holder()],
            "item_code": "item-1",
            "case": CASE,
            "request_id": request_id(),
            **changes,
        }
        return pb.IssueLicenseRequest(**fields)

    async def issue(self, order: pb.IssueLicenseRequest) -> resources.License:
        return await self.call(self.licenses.IssueLicense, order, resources.License, self.staff())

    async def issued(self, **changes: Any) -> resources.License:
        """Issues a licence of a type of its own."""
        kind = await self.license_type(code=f"{len(self.known.sealed) + 100:03d}")
        return await self.issue(self.order(kind.name, **changes))

    async def works_on(self, case: str, department: str, *types: str, **changes: Any) -> None:
        """Has the cases service tell of a case of the firm's, on which a department works, by its events."""
        told: dict[str, Any] = {
            "name": case,
            "sequence": 2,
            "state": case_resources.CASE_STATE_SUBMITTED,
            "applicant": FIRM,
            "department": department,
            "license_type_codes": types,
            "legal_basis": "《行政许可法》",
            "item": ITEM,
            **changes,
        }
        more = {name: told.pop(name) for name in ("receiving_department", "materials") if name in told}
        kind = (
            case_events.CaseSubmitted
            if told["state"] == case_resources.CASE_STATE_SUBMITTED
            else case_events.CaseDecided
        )
        name = "submitted" if kind is case_events.CaseSubmitted else "decided"
        await self.hear(f"case.{name}", case, kind(case=case_events.CaseSummary(**told), **more))

    async def sent_abroad(self, case: str, department: str, **parties: str) -> None:
        """Has the cases service tell of an application that a window here sent to another region, which opened its case."""
        sent = case_events.SentApplication(case=case, department=department, **parties)
        await self.hear(
            "case_transfer.acknowledged", "caseTransfers/1", case_events.CaseTransferAcknowledged(sent=sent)
        )

    async def hear(self, name: str, subject: str, data: Message) -> None:
        """Handles an event of the cases service."""
        event = Event(
            request_id(),
            "//341500/cases",
            f"cn.tongban.cases.{name}.v1",
            subject,
            datetime.now(UTC),
            data.SerializeToString(),
        )
        await self.handle(event)

    async def handle(self, event: Event) -> None:
        """Handles an event, as a replica does that was started just now."""
        await (await app(self.service.process)).handlers()[event.type](event)

    async def sweep(self) -> Sweep:
        """The sweeper of such a replica."""
        (run,) = (await app(self.service.process)).workers
        sweep: Sweep = cast("Any", run).__self__
        return sweep

    async def verify(self, **subject: Any) -> verification.VerifyLicenseResponse:
        request = verification.VerifyLicenseRequest(**subject)
        return await self.call(self.verification.VerifyLicense, request, verification.VerifyLicenseResponse, "")

    async def revoke(self, name: str) -> resources.License:
        request = pb.RevokeLicenseRequest(
            name=name, reason="提交虚假材料", legal_basis="测试罚〔2024〕1号", request_id=request_id()
        )
        return await self.call(self.licenses.RevokeLicense, request, resources.License, self.staff())


def firm_holder(subject: str = FIRM) -> party_pb2.Party:
    document = common_pb2.IdentityDocument(type_code="001", number=FIRM_CODE)
    return party_pb2.Party(subject=subject, display_name="测试虚构便利店有限公司", document=document)


def person_holder(subject: str = PERSON) -> party_pb2.Party:
    person = PEOPLE.person()
    document = common_pb2.IdentityDocument(type_code="111", number=person.citizen_id)
    return party_pb2.Party(subject=subject, display_name="测试乙", document=document)


@pytest_asyncio.fixture
async def licensing(ground: Ground) -> AsyncIterator[License]:
    """The service on a fresh database."""
    clock = FakeClock(datetime(2024, 5, 6, 2, 0, tzinfo=UTC))
    async with neighbours() as known, serving(ground, "license", clock, prepare=known.put_into) as service:
        yield License(service, known, clock)
