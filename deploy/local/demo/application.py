"""Part A, steps 1 to 4: mandate, window, materials, application and correction, from 六安's window to 天宁."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from deploy.local.demo import land
from deploy.local.demo.catalogue import CONVENIENCE_STORE, task_code
from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office
from deploy.local.demo.people import RegisteredFirm, RegisteredPerson, Registry
from libs.civil import notices
from libs.civil.calendar import Calendar
from libs.documents.store import digest_of
from libs.ids.uuid7 import uuid7
from libs.rpc.messages import working_days
from libs.rpc.token_types import ACCESS_TOKEN
from libs.values.messages import value_messages
from tongban.cases.v1 import (
    case_service_pb2,
    exchange_service_pb2,
)
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2, party_pb2
from tongban.identity.v1 import (
    consent_service_pb2,
    mandate_service_pb2,
    resources_pb2,
    token_service_pb2,
)
from tongban.license.v1 import (
    license_service_pb2,
    material_service_pb2,
    presentation_service_pb2,
)
from tongban.license.v1 import resources_pb2 as licenses
from tongban.options.v1 import options_pb2

SUBMITTED, ASKED, ANSWERED = date(2023, 12, 18), date(2023, 12, 19), date(2023, 12, 22)
_MORNING = time(1, 0, tzinfo=UTC)  # 09:00 in China
_WITHIN = 20.0
SEED = 341500
"""Draws the story's people and firm."""
PURPOSE_CODE = "CROSS_REGION_HANDLING"
PURPOSE = "开便利店一件事跨省代办"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """Where the story plays: how its clock is set, its folder, who speaks, and 六安's SM2 root certificate (DER)."""

    set_clock: Callable[[datetime], None]
    folder: Path
    say: Say
    root_certificate: bytes


@dataclass
class StoryResult:
    """What the story left behind, for the figures and for the reader."""

    files: dict[str, Path]
    checks: dict[str, tuple[str, str]]


def expect(checks: dict[str, tuple[str, str]], name: str, wanted: object, measured: object) -> None:
    """Notes what must come out and what came out."""
    checks[name] = (str(wanted), str(measured))


async def eventually(read: Callable[[], Awaitable[Any]], holds: Callable[[Any], bool], what: str) -> Any:
    """Reads until ``holds``; raises TimeoutError after twenty seconds, naming what did not come."""
    try:
        async with asyncio.timeout(_WITHIN):
            while True:
                value = await read()
                if holds(value):
                    return value
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise TimeoutError(f"did not come within {_WITHIN:.0f} s: {what}") from None


class ApplicationSteps:
    """Steps 1 to 4. ``home`` is 六安, whose window takes the application in; ``handling`` is 天宁, which decides."""

    def __init__(self, home: Office, handling: Office, resource: str, stage: Stage) -> None:
        self._home, self._handling, self._resource = home, handling, resource
        self._set_clock, self._folder, self._say = stage.set_clock, stage.folder, stage.say
        self._root_certificate = stage.root_certificate
        self._checks: dict[str, tuple[str, str]] = {}
        self._files: dict[str, Path] = {}
        self._case_id = uuid7()
        self._case = f"//{handling.gateway.id}/cases/{self._case_id}"
        self._transaction = ""
        self._task_code = task_code(handling.uscc, CONVENIENCE_STORE)

    def _day(self, day: date) -> None:
        self._set_clock(datetime.combine(day, _MORNING))

    def _use(self, office: Office) -> common_pb2.UseContext:
        return common_pb2.UseContext(
            purpose_code=PURPOSE_CODE,
            purpose=PURPOSE,
            case=self._case,
            department=office.department,
            transaction_id=self._transaction,
        )

    def _keep(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        self._files[name] = path
        return path

    # ---- step 1 ----

    async def _mandate(self) -> None:
        registry = Registry(self._home, SEED)
        self._representative: RegisteredPerson = await registry.person()
        self._agent: RegisteredPerson = await registry.person()
        self._firm: RegisteredFirm = await registry.firm(self._representative)
        gateway = self._home.gateway
        own = await self._home.token_of_person(self._representative.name)
        acting = await gateway.exchanged(own, self._firm.name)
        mandate = resources_pb2.Mandate(
            principal=self._firm.name,
            agent=self._agent.name,
            scope=resources_pb2.MandateScope(
                item_codes=[self._task_code],
                powers=[
                    options_pb2.MANDATE_POWER_APPLY,
                    options_pb2.MANDATE_POWER_PRESENT,
                    options_pb2.MANDATE_POWER_COLLECT,
                ],
            ),
        )
        mandate.end_time.FromDatetime(datetime.combine(SUBMITTED + timedelta(days=30), _MORNING))
        request = mandate_service_pb2.CreateMandateRequest(mandate=mandate, request_id=request_id())
        made = await gateway.using(acting).call(request, resources_pb2.Mandate)
        self._mandate_name = made.name
        expect(self._checks, "step 1: mandate", "ACTIVE", resources_pb2.MandateState.Name(made.state)[14:])
        self._say(f"1  {self._firm.display_name} gives its agent a mandate for one item and 30 days: {made.name}")

    # ---- step 2 ----

    async def _window(self) -> None:
        gateway = self._home.gateway
        agent = await self._home.token_of_person(self._agent.name)
        self._agent_token = await gateway.exchanged(agent, self._firm.name, self._mandate_name)
        clerk = await self._home.token_of("receiving")
        at_window = await gateway.exchange(
            token_service_pb2.ExchangeTokenRequest(
                subject_token=self._agent_token,
                subject_token_type=ACCESS_TOKEN,
                actor_token=clerk,
                actor_token_type=ACCESS_TOKEN,
            )
        )
        self._window_token = at_window.access_token
        self._say("2  the clerk checks the agent at 六安's window; both stand in one token (RFC 8693: sub and act)")

    # ---- step 3 ----

    async def _materials(self) -> None:
        held = [await self._license_of_the_firm(serial, kind) for serial, kind in (("101", "M1"), ("107", "M2"))]
        consent = await self._consent([name for name, _, _ in held])
        references = [await self._present(*each, consent) for each in held]
        self._plan_v1 = land.floor_plan(1)
        references.append(await self._upload(self._plan_v1))
        self._references = references
        self._say("3  two licences are handed over by reference with the holder's consent, one file is uploaded")

    async def _license_of_the_firm(self, serial: str, material: str) -> tuple[str, str, str]:
        gateway = self._home.gateway
        request = license_service_pb2.IssueLicenseRequest(
            license_type=self._home.licence_types[serial],
            issuer=licenses.Issuer(
                department=self._home.department, display_name=self._home.department_name, code=self._home.uscc
            ),
            holders=[
                party_pb2.Party(
                    subject=self._firm.name,
                    display_name=self._firm.display_name,
                    document=common_pb2.IdentityDocument(type_code="001", number=self._firm.uscc),
                )
            ],
            face_fields=value_messages(
                {
                    "KZ_JYCS": "六安市示例路8号",
                    "KZ_JYFW": "日用百货零售",
                    "KZ_ZCZB": Decimal("500000.00"),
                    "KZ_CLRQ": date(2019, 3, 4),
                }
            ),
            request_id=request_id(),
        )
        token = await self._home.token_of("deciding")
        made = await gateway.using(token).call(request, licenses.License)
        return made.name, made.ofd.digest, material

    async def _consent(self, names: list[str]) -> str:
        gateway = self._home.gateway
        consent = resources_pb2.Consent(
            subject=self._firm.name,
            recipient=f"//{self._handling.gateway.id}",
            purpose_code=PURPOSE_CODE,
            purpose=PURPOSE,
            case=self._case,
            resources=names,
            method=resources_pb2.CONSENT_METHOD_ONLINE,
        )
        consent.end_time.FromDatetime(datetime.combine(SUBMITTED + timedelta(days=60), _MORNING))
        request = consent_service_pb2.GrantConsentRequest(consent=consent, request_id=request_id())
        made = await gateway.using(self._agent_token).call(request, resources_pb2.Consent)
        return made.name

    async def _present(self, name: str, digest: str, material: str, consent: str) -> cases.MaterialReference:
        gateway = self._home.gateway
        wanted = presentation_service_pb2.Presentation(
            holder=self._firm.name,
            licenses=[presentation_service_pb2.PresentedLicense(license=name)],
            verifier=f"//{self._handling.gateway.id}",
            item_code=self._task_code,
            consent=consent,
            use_context=common_pb2.UseContext(purpose_code=PURPOSE_CODE, purpose=PURPOSE, case=self._case),
        )
        wanted.expire_time.FromDatetime(datetime.combine(SUBMITTED + timedelta(days=60), _MORNING))
        request = presentation_service_pb2.CreatePresentationRequest(presentation=wanted, request_id=request_id())
        answer = presentation_service_pb2.CreatePresentationResponse
        made = await gateway.using(self._agent_token).call(request, answer)
        presentation = f"//{gateway.id}/{made.presentation.name}"
        return cases.MaterialReference(code=material, presentation=presentation, digest=digest)

    async def _upload(self, content: bytes) -> cases.MaterialReference:
        gateway = self._home.gateway
        metadata = material_service_pb2.MaterialMetadata(
            category="M3",
            file_name="经营场所平面图.png",
            case=self._case,
            handling_region=self._handling.gateway.id,
            document=common_pb2.DocumentRef(digest=digest_of(content), media_type="image/png", size_bytes=len(content)),
        )
        made = await gateway.using(self._agent_token).license.upload_material(metadata, content)
        return cases.MaterialReference(
            code="M3", material=f"//{gateway.id}/{made.name}", digest=metadata.document.digest
        )

    # ---- the application goes over ----

    async def _send(self) -> None:
        gateway = self._home.gateway
        region = f"//{gateway.id}"
        request = exchange_service_pb2.SendCaseTransferRequest(
            handling_region=self._handling.gateway.id,
            task_code=self._task_code,
            mode=cases.CROSS_REGION_MODE_COLLECTED,
            case_id=self._case_id,
            request_id=request_id(),
            applicant=party_pb2.Applicant(
                kind=party_pb2.PARTY_KIND_ENTERPRISE,
                subject=f"{region}/{self._firm.name}",
                display_name=self._firm.display_name,
                document=common_pb2.IdentityDocument(type_code="001", number=self._firm.uscc),
            ),
            agent=party_pb2.Agent(
                subject=f"{region}/{self._agent.name}",
                display_name=self._agent.full_name,
                document=common_pb2.IdentityDocument(type_code="111", number=self._agent.number),
                mandate=f"{region}/{self._mandate_name}",
            ),
            identity_check=exchange_service_pb2.IdentityCheck(assurance=4, method="窗口核验居民身份证原件"),
            materials=self._references,
            form_values=value_messages(
                {
                    "address": "常州市天宁区示例路18号",
                    "scope": "预包装食品零售",
                    "capital": Decimal("500000.00"),
                    "founded": date(2019, 3, 4),
                }
            ),
        )
        request.identity_check.check_time.FromDatetime(datetime.combine(SUBMITTED, _MORNING))
        sent = await gateway.using(self._window_token).call(request, exchange_service_pb2.CaseTransfer)
        self._transfer, self._transaction = sent.name, sent.transaction_id
        accepted = await eventually(
            self._read_transfer,
            lambda t: t.state == exchange_service_pb2.CASE_TRANSFER_STATE_ACCEPTED,
            "天宁's acknowledgement of the application",
        )
        opened = accepted.case == self._case
        expect(self._checks, "step 2: 天宁 opens the case under the agreed name", True, opened)
        self._say(f"   天宁 trusts 六安's assertion and opens case {accepted.case_number}")

    async def _read_transfer(self) -> exchange_service_pb2.CaseTransfer:
        gateway = self._home.gateway
        request = exchange_service_pb2.GetCaseTransferRequest(name=self._transfer)
        return await gateway.using(await self._home.token_of("receiving")).call(
            request, exchange_service_pb2.CaseTransfer
        )

    # ---- step 4 ----

    @property
    def _local_case(self) -> str:
        return f"cases/{self._case_id}"

    async def _case_step(self, request: Message, duty: str) -> cases.Case:
        gateway = self._handling.gateway
        return await gateway.using(await self._handling.token_of(duty)).call(request, cases.Case)

    async def _read_case(self) -> cases.Case:
        request = case_service_pb2.GetCaseRequest(name=self._local_case, use_context=self._use(self._handling))
        return await self._case_step(request, "receiving")

    async def _deadline(self) -> cases.Clock:
        gateway = self._handling.gateway
        request = case_service_pb2.GetClockRequest(
            name=f"{self._local_case}/clock", use_context=self._use(self._handling)
        )
        return await gateway.using(await self._handling.token_of("receiving")).call(request, cases.Clock)

    async def _correction(self) -> None:
        self._day(ASKED)
        before = await self._deadline()
        await self._case_step(
            case_service_pb2.RequestCorrectionRequest(
                name=self._local_case,
                answer_limit=working_days(10),
                request_id=request_id(),
                points=[cases.CorrectionPoint(material_code="M3", explanation="平面图缺少面积标注,请补充后重新提交")],
            ),
            "receiving",
        )
        await eventually(
            self._read_transfer,
            lambda t: t.progress.state == cases.CASE_STATE_CORRECTION_REQUESTED,
            "the request for correction at 六安's window",
        )
        self._day(ANSWERED)
        request = exchange_service_pb2.SendCorrectionRequest(
            name=self._transfer,
            request_id=request_id(),
            correction=exchange_service_pb2.TransferCorrection(materials=[await self._upload(land.floor_plan(2))]),
        )
        await self._home.gateway.using(await self._home.token_of("receiving")).call(
            request, exchange_service_pb2.CaseTransfer
        )
        await eventually(self._read_case, lambda c: c.state == cases.CASE_STATE_SUBMITTED, "the corrected material")
        after = await self._deadline()
        moved = self._days_between(before.statutory_date, after.statutory_date)
        passed = self._days_between(
            before.start_date, common_pb2.Date(year=ANSWERED.year, month=ANSWERED.month, day=ANSWERED.day)
        )
        expect(self._checks, "step 4: deadline moves by working days", passed, moved)
        await self._case_step(
            case_service_pb2.AcceptCaseRequest(
                name=self._local_case, etag=(await self._read_case()).etag, request_id=request_id()
            ),
            "receiving",
        )
        accepted = await self._read_case()
        verified = [each.check == cases.MATERIAL_CHECK_VERIFIED for each in accepted.materials]
        expect(
            self._checks,
            "step 3: materials that 天宁 verified with 六安",
            "3 of 3",
            f"{sum(verified)} of {len(verified)}",
        )
        self._say(
            f"4  天宁 asks once for a correction; its days begin anew with the answer, {moved} working days later"
        )

    def _days_between(self, one: common_pb2.Date, other: common_pb2.Date) -> int:
        first, second = (date(each.year, each.month, each.day) for each in (one, other))
        return Calendar(notices.all_rows()).count(first, second)
