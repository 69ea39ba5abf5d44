"""Personal data is readable nowhere on a region's machine: planted by every RPC and a whole case, looked for everywhere."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from deploy.local.demo.gateway import request_id
from deploy.local.demo.office import Office, open_person
from deploy.local.demo.people import RegisteredPerson, Registry
from libs.documents.store import digest_of
from libs.ids.uuid7 import uuid7
from tests.support import contracts
from tests.support.at_rest import (
    Needles,
    columns_with,
    files_with,
    open_to_others,
    packed,
    streams_with,
    told_with,
)
from tests.support.attack import tokens_of
from tests.support.case_runs import application, approval, is_closed
from tests.support.evidence import drained
from tests.support.planting import ADDRESS, CONTENT, NAME, NUMBER, PHONE, PLANTED, over_grpc, over_http
from tests.support.regions import YIELDING, Regions, owner
from tongban.cases.v1 import case_service_pb2, case_service_pb2_grpc, rating_service_pb2
from tongban.cases.v1 import resources_pb2 as cases
from tongban.common.v1 import common_pb2
from tongban.identity.v1 import resources_pb2 as identity
from tongban.license.v1 import (
    material_service_pb2,
    material_service_pb2_grpc,
    verification_service_pb2,
)

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def _a_whole_case(office: Office) -> None:
    """A person, their firm, its case with a licence, a rating with words, and a question about the licence."""
    clerk = await office.token_of("receiving")
    document = common_pb2.IdentityDocument(type_code="111", number=NUMBER)
    person = identity.Person(
        full_name=NAME,
        documents=[identity.HeldDocument(document=document)],
        contact_points=[identity.ContactPoint(phone=PHONE)],
    )
    made = await open_person(office.gateway, clerk, person)
    firm = await Registry(office, 977).firm(RegisteredPerson(made.name, NAME, NUMBER))
    stub = case_service_pb2_grpc.CaseServiceStub(office.gateway.channel)
    request = application(office, YIELDING, firm)
    request.case.form_values["address"].string_value = ADDRESS
    case = await office.gateway.using(clerk).call(request, cases.Case)
    name = case.name
    for kind, duty in (
        (case_service_pb2.SubmitCaseRequest, "receiving"),
        (case_service_pb2.AcceptCaseRequest, "receiving"),
        (case_service_pb2.StartReviewRequest, "reviewing"),
    ):
        token = await office.token_of(duty)
        step: Any = kind(name=name, etag=case.etag, request_id=request_id())
        case = await office.gateway.using(token).call(step, cases.Case)
    await _a_file(office, name)
    await office.gateway.using(await office.token_of("deciding")).call(approval(case), cases.Case)
    case = await _closed(office, stub, name)
    wanted = rating_service_pb2.Rating(
        case=name,
        kind=rating_service_pb2.RATING_KIND_FIRST,
        level=cases.SATISFACTION_LEVEL_SATISFIED,
        channel=rating_service_pb2.RATING_CHANNEL_WINDOW_TABLET,
        comment=f"{NAME}住{ADDRESS},电话{PHONE}",
    )
    rating = rating_service_pb2.CreateRatingRequest(rating=wanted, request_id=request_id())
    await office.gateway.using(clerk).call(rating, rating_service_pb2.Rating)
    await _ask_in_public(office, case)


async def _a_file(office: Office, case: str) -> None:
    """A file with a planted name and planted content is handed in for the case, and read again."""
    token, content = await office.token_of("receiving"), b"%PDF-1.7\n" + CONTENT
    document = common_pb2.DocumentRef(digest=digest_of(content), media_type="application/pdf", size_bytes=len(content))
    metadata = material_service_pb2.MaterialMetadata(
        owner=f"persons/{uuid7()}",
        category="M3",
        file_name=f"{NAME}{PHONE}.pdf",
        case=case,
        document=document,
        request_id=request_id(),
    )
    parts = [
        material_service_pb2.UploadMaterialRequest(metadata=metadata),
        material_service_pb2.UploadMaterialRequest(chunk=content),
    ]
    stub = material_service_pb2_grpc.MaterialServiceStub(office.gateway.channel)
    headers = (("authorization", f"Bearer {token}"),)
    made = await stub.UploadMaterial(iter(parts), metadata=headers, timeout=20)
    context = common_pb2.UseContext(
        purpose_code="SUPERVISION", purpose="办件督办", case=case, department=office.department
    )
    question = material_service_pb2.DownloadMaterialRequest(name=made.name, use_context=context)
    read = [part.chunk async for part in stub.DownloadMaterial(question, metadata=headers, timeout=20)]
    assert b"".join(read) == content


async def _closed(office: Office, stub: Any, name: str) -> cases.Case:
    context = common_pb2.UseContext(
        purpose_code="SUPERVISION", purpose="办件督办", case=name, department=office.department
    )
    request = case_service_pb2.GetCaseRequest(name=name, use_context=context)
    async with asyncio.timeout(60):
        while True:
            token = await office.token_of("receiving")
            case = await office.gateway.using(token).call(request, cases.Case)
            if is_closed(case):
                return case
            await asyncio.sleep(0.1)


async def _ask_in_public(office: Office, case: cases.Case) -> None:
    """Strangers ask with a name and a number, also in an address, where they don't belong."""
    question = verification_service_pb2.VerifyLicenseRequest(
        digest="sm3:" + "0" * 64, holder_name=NAME, holder_document_number=NUMBER
    )
    await office.gateway.region.call(question, verification_service_pb2.VerifyLicenseResponse)
    for path in ("/v1/persons:lookup", f"/v1/{case.name}", "/verify", "/v1/nothing", "/oauth/token"):
        await office.gateway.http.get(path, params={"number": NUMBER, "full_name": NAME, "phone": PHONE})
        await office.gateway.http.post(path, json={"number": NUMBER, "fullName": [NAME], "phone": {"a": PHONE}})


def _told_at(regions: Regions, code: str) -> list[str]:
    """Where a region's processes tell of themselves."""
    ports = [process.ports for process in regions.cluster.snapshot.processes if process.region == code]
    metrics = [f"http://127.0.0.1:{each['metrics']}/metrics" for each in ports if "metrics" in each]
    envoy = [f"http://127.0.0.1:{each['admin']}/stats" for each in ports if "admin" in each]
    return metrics + envoy


async def _settled(state: Path, code: str) -> None:
    """Waits until every event has gone out, and has PostgreSQL write its pages to disk."""
    assert await drained(state, code) == {}
    async with owner(state, code, "cases") as connection:
        await connection.execute("SELECT pg_current_wal_lsn()")


async def test_planted_personal_data_is_readable_nowhere(regions: Regions) -> None:
    office, state = regions.handling, regions.state
    code = office.gateway.id
    admin, clerk = await office.admin_token(), await office.token_of("receiving")
    await _a_whole_case(office)
    everybody = list(tokens_of(state, code, office.gateway.url).values())
    assert await over_grpc(office.gateway.channel, ["", admin, clerk, *everybody]) == {
        each.name for each in contracts.methods()
    }
    assert await over_http(office.gateway.url, ["", everybody[0], everybody[1]]) > 1_000
    await _settled(state, code)
    needles = Needles(PLANTED)
    found = {
        "tables": await columns_with(needles, state, code),
        "streams": await streams_with(needles, state, code),
        "files": files_with(needles, state),
        "archives": packed(state),
        "told": await told_with(needles, _told_at(regions, code)),
    }
    assert found == {"tables": {}, "streams": {}, "files": {}, "archives": [], "told": {}}


async def test_what_a_region_keeps_is_its_own_users_alone(regions: Regions) -> None:
    folder = regions.state / regions.handling.gateway.id
    assert any((folder / "documents").rglob("*"))
    kept = {name: open_to_others(folder / name) for name in ("documents", "logs", "postgres", "redis", "secrets")}
    assert kept == {name: [] for name in kept}
    assert {name: (folder / name).stat().st_mode & 0o077 for name in kept} == dict.fromkeys(kept, 0)
