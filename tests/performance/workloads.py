"""The operations that are measured, each with its own preparation; straight at the services, except where it says JSON."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from deploy.local.demo.application import PURPOSE, PURPOSE_CODE
from deploy.local.demo.catalogue import BUSINESS
from deploy.local.demo.gateway import CLIENT_ASSERTION, request_id
from deploy.local.demo.office import LONG_AGO, LONG_AHEAD
from deploy.local.regions import HOST
from libs.crypto.tongsuo import TongsuoProvider
from libs.ids.synthetic import SyntheticPopulation
from libs.ids.uuid7 import uuid7
from tests.performance import echo, shared_table
from tests.performance.ground import Ground
from tests.performance.load import Measured, Operation, measure
from tests.performance.names import CLIENT_GRANT, DIGESTS, HOSTILE, SEALED
from tests.support.case_runs import application, approval
from tests.support.hostile import many_extensions, many_references
from tests.support.regions import PLAIN
from tests.support.seals import make_kit
from tests.support.values import messages
from tongban.cases.v1 import case_service_pb2, case_service_pb2_grpc
from tongban.common.v1 import common_pb2, party_pb2, value_pb2
from tongban.identity.v1 import account_service_pb2, account_service_pb2_grpc, resources_pb2
from tongban.license.v1 import (
    license_service_pb2,
    license_service_pb2_grpc,
    verification_service_pb2,
    verification_service_pb2_grpc,
)
from tongban.license.v1 import resources_pb2 as licenses
from tongban.seal.v1 import resources_pb2 as seals
from tongban.seal.v1 import (
    seal_service_pb2,
    seal_service_pb2_grpc,
    sealing_service_pb2,
    sealing_service_pb2_grpc,
    validation_service_pb2,
    validation_service_pb2_grpc,
)
from tongban.sharing.v1 import data_service_pb2, data_service_pb2_grpc

READS, WRITES, WARM_UP = 4000, 1600, 100
_DIGESTSES, _LICENCES = 40, 90
_RAW_SIGNATURES, _HOSTILE = 1500, 6

Calls = AsyncIterator[Measured]


class Workloads:
    """All operations against one region."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._office = ground.office

    async def echo(self) -> Measured:
        """The empty RPC."""
        call: Any = self._ground.channels[echo.NAME].unary_unary(
            echo.PATH, request_serializer=lambda _: b"", response_deserializer=bytes
        )
        metadata = self._ground.metadata(await self._office.token_of("receiving"))

        async def operation(_number: int) -> None:
            await call(None, metadata=metadata)

        return await self._measure(echo.NAME, operation, READS, (echo.NAME,))

    async def _measure(
        self, name: str, operation: Operation, count: int, servers: tuple[str, ...], **more: Any
    ) -> Measured:
        return await measure(name, operation, count, self._ground.meter, servers, warm_up=WARM_UP, **more)

    async def _calls(self, method: Any, request: Callable[[int], Any], duty: str) -> Operation:
        """An operation that calls ``method``; the requests are made before the clock runs."""
        metadata = self._ground.metadata(await self._office.token_of(duty) if duty else "")

        async def operation(number: int) -> None:
            await method(request(number), metadata=metadata)

        return operation

    async def _step(self, method: Any, requests: dict[int, Any], duty: str, made: dict[int, Any]) -> Operation:
        """An operation that takes one step of each case, and keeps what it has become: the next step names that."""
        metadata = self._ground.metadata(await self._office.token_of(duty))

        async def operation(number: int) -> None:
            made[number] = await method(requests[number], metadata=metadata)

        return operation

    # ---- identity ----

    async def create_organization(self) -> Measured:
        """A write of the identity service."""
        population = SyntheticPopulation("bench", province="34")
        firms = [population.firm() for _ in range(WRITES + WARM_UP)]
        made = [
            account_service_pb2.CreateOrganizationRequest(
                organization=resources_pb2.Organization(
                    display_name=firm.name, uscc=firm.uscc, kind=party_pb2.PARTY_KIND_ENTERPRISE
                ),
                request_id=request_id(),
            )
            for firm in firms
        ]
        stub = self._ground.stub(account_service_pb2_grpc.AccountServiceStub, "identity")
        operation = await self._calls(stub.CreateOrganization, made.__getitem__, "receiving")
        return await self._measure("create organization", operation, WRITES, ("identity",))

    async def client_grant(self) -> Measured:
        """A client-credential grant by private_key_jwt, at the token endpoint itself."""
        gateway, admin = self._office.gateway, self._office.admin
        port = self._ground.identity_http
        signed = [admin.sign(f"{gateway.url}/oauth/token", admin.client_id) for _ in range(WRITES + WARM_UP)]
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False) as client:

            async def operation(number: int) -> None:
                answer = await client.post(
                    "/oauth/token",
                    data={
                        "grant_type": "client_credentials",
                        "client_id": admin.client_id,
                        "client_assertion_type": CLIENT_ASSERTION,
                        "client_assertion": signed[number],
                    },
                )
                answer.raise_for_status()

            return await self._measure(CLIENT_GRANT, operation, WRITES, ("identity",))

    # ---- cases ----

    async def cases(self) -> Calls:
        """The steps of a case up to its decision, each step for all cases before the next one."""
        stub = self._ground.stub(case_service_pb2_grpc.CaseServiceStub, "cases")
        metadata = self._ground.metadata(await self._office.token_of("receiving"))
        made: dict[int, Any] = {}
        applications = [application(self._office, PLAIN, self._ground.firm) for _ in range(WRITES + WARM_UP)]

        async def create(number: int) -> None:
            made[number] = await stub.CreateCase(applications[number], metadata=metadata)

        yield await self._measure("create case", create, WRITES, ("cases",))
        steps: tuple[tuple[str, Any, Any, str], ...] = (
            ("submit case", stub.SubmitCase, case_service_pb2.SubmitCaseRequest, "receiving"),
            ("accept case", stub.AcceptCase, case_service_pb2.AcceptCaseRequest, "receiving"),
            ("start review", stub.StartReview, case_service_pb2.StartReviewRequest, "reviewing"),
        )
        for name, method, kind, duty in steps:
            requests = {n: kind(name=case.name, etag=case.etag, request_id=request_id()) for n, case in made.items()}
            yield await self._measure(name, await self._step(method, requests, duty, made), WRITES, ("cases",))
        decisions = {n: approval(case) for n, case in made.items()}
        operation = await self._step(stub.DecideCase, decisions, "deciding", made)
        yield await self._measure("decide case", operation, WRITES, ("cases",))

    # ---- license ----

    async def licences(self) -> Calls:
        """Issue (rendered, sealed, stored), get, verify; and verify as JSON through the gateway."""
        channel_stub = self._ground.stub(license_service_pb2_grpc.LicenseServiceStub, "license")
        token = await self._office.token_of("deciding")
        metadata = self._ground.metadata(token)
        issued: list[licenses.License] = []

        async def issue(_number: int) -> None:
            issued.append(await channel_stub.IssueLicense(self._issue_request(), metadata=metadata))

        yield await measure("issue licence", issue, _LICENCES, self._ground.meter, ("license", "seal"), warm_up=8)
        context = common_pb2.UseContext(
            purpose_code="LICENSE_CHECK", purpose="证照核对", department=self._office.department
        )
        gets = [license_service_pb2.GetLicenseRequest(name=each.name, use_context=context) for each in issued]
        operation = await self._calls(channel_stub.GetLicense, _cycled(gets), "deciding")
        yield await self._measure("get licence", operation, READS, ("license",))
        stub = self._ground.stub(verification_service_pb2_grpc.VerificationServiceStub, "license")
        verifies = [verification_service_pb2.VerifyLicenseRequest(identifier=each.identifier) for each in issued]
        operation = await self._calls(stub.VerifyLicense, _cycled(verifies), "")
        yield await self._measure("verify licence", operation, READS, ("license",))
        yield await self._verify_as_json([each.identifier for each in issued])

    def _issue_request(self) -> license_service_pb2.IssueLicenseRequest:
        office, firm = self._office, self._ground.firm
        return license_service_pb2.IssueLicenseRequest(
            license_type=office.licence_types[BUSINESS.serial],
            request_id=request_id(),
            issuer=licenses.Issuer(department=office.department, display_name=office.department_name, code=office.uscc),
            holders=[
                party_pb2.Party(
                    subject=firm.name,
                    display_name=firm.display_name,
                    document=common_pb2.IdentityDocument(type_code="001", number=firm.uscc),
                )
            ],
            face_fields=messages(KZ_JYCS="示例路8号", KZ_JYFW="日用百货零售"),
        )

    async def _verify_as_json(self, identifiers: list[str]) -> Measured:
        limits = httpx.Limits(max_connections=16)
        async with httpx.AsyncClient(base_url=self._office.gateway.url, trust_env=False, limits=limits) as client:

            async def operation(number: int) -> None:
                body = {"identifier": identifiers[number % len(identifiers)]}
                (await client.post("/v1/licenses:verify", json=body)).raise_for_status()

            return await self._measure("verify licence, JSON", operation, READS // 2, ("envoy",))

    # ---- sharing ----

    async def query(self) -> Measured:
        """A query of a mounted table through a grant, with its record."""
        resource, keys = await shared_table.opened(self._ground)
        code = self._office.gateway.id
        context = common_pb2.UseContext(
            purpose_code=PURPOSE_CODE,
            purpose=PURPOSE,
            case=f"//{code}/cases/{uuid7()}",
            department=self._office.department,
        )
        asked = [
            data_service_pb2.QueryRequest(
                resource=resource,
                fields=shared_table.FIELDS,
                use_context=context,
                conditions=[data_service_pb2.KeyCondition(field="uscc", values=[value_pb2.Value(string_value=key)])],
            )
            for key in keys
        ]
        stub = self._ground.stub(data_service_pb2_grpc.DataServiceStub, "sharing")
        operation = await self._calls(stub.Query, _cycled(asked), "reviewing")
        return await self._measure("query shared data", operation, WRITES, ("sharing",))

    # ---- seal ----

    async def seal(self) -> Measured:
        """A batch of digests, each signed by SM2 in a GB/T 38540 signature."""
        digests = [
            sealing_service_pb2.DigestInput(
                data_digest=f"sm3:{uuid.uuid4().hex * 2}", property_info=f"/Doc_0/Signs/{n}.xml"
            )
            for n in range(DIGESTS)
        ]
        seal = await self._seal()
        use = common_pb2.UseContext(purpose_code="SEALING", purpose="批量用印", department=self._office.department)

        def request(_number: int) -> sealing_service_pb2.SealDigestsRequest:
            return sealing_service_pb2.SealDigestsRequest(
                request_id=request_id(), seal=seal, digests=digests, use_context=use
            )

        stub = self._ground.stub(sealing_service_pb2_grpc.SealingServiceStub, "seal")
        operation = await self._calls(stub.SealDigests, request, "deciding")
        return await measure(
            SEALED,
            operation,
            _DIGESTSES,
            self._ground.meter,
            ("seal",),
            units=DIGESTS,
            warm_up=4,
            at_once=4,
        )

    async def hostile(self) -> Calls:
        """Files made to hurt, each the dearest of its kind that validation takes."""
        kit = make_kit()
        stub = self._ground.stub(validation_service_pb2_grpc.ValidationServiceStub, "seal")
        for name, document in (("references", many_references(kit)), ("extensions", many_extensions(kit))):
            request = validation_service_pb2.ValidateDocumentRequest(content=document)
            operation = await self._calls(stub.ValidateDocument, _cycled([request]), "")
            yield await measure(
                f"{HOSTILE} {name}", operation, _HOSTILE, self._ground.meter, ("seal",), warm_up=1, at_once=1
            )

    async def _seal(self) -> str:
        """Has its custodian make a seal that the deciding officer may use."""
        office = self._office
        stub = seal_service_pb2_grpc.SealServiceStub(office.gateway.channel)
        seal = seals.Seal(
            display_name=f"{office.department_name}业务专用章",
            kind=seals.SEAL_KIND_BUSINESS,
            rank=seals.SEAL_RANK_COUNTY,
            owner=office.department,
            owner_uscc=office.uscc,
            round=seals.RoundSeal(arc_text=office.department_name, bottom_text="业务专用章"),
            users=[seals.SealUser(subject=office.staff["deciding"])],
        )
        seal.start_time.FromDatetime(LONG_AGO)
        seal.end_time.FromDatetime(LONG_AHEAD)
        request = seal_service_pb2.CreateSealRequest(seal=seal, request_id=request_id())
        return (await office.gateway.call(stub.CreateSeal, request, seals.Seal, await office.token_of("custody"))).name


def _cycled(requests: list[Any]) -> Callable[[int], Any]:
    return lambda number: requests[number % len(requests)]


async def raw_signatures() -> float:
    """SM2 signatures a second of one core by the raw library."""
    provider = TongsuoProvider()
    key, message = provider.sm2_generate(), bytes(200)

    def sign() -> float:
        for _ in range(50):
            provider.sm2_sign(key, message)
        began = time.thread_time()
        for _ in range(_RAW_SIGNATURES):
            provider.sm2_sign(key, message)
        return _RAW_SIGNATURES / (time.thread_time() - began)

    return await asyncio.to_thread(sign)
