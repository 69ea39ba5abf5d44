"""The catalogue of types, and the store of materials."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import grpc
import pytest

from libs.documents.store import digest_of
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, TongbanError
from libs.rpc.status import from_rpc_error
from tests.service.license.conftest import (
    CASE,
    FIRM,
    OTHER_DEPARTMENT,
    PERSON,
    STAFF,
    STRANGER,
    License,
    context,
    request_id,
)
from tests.support.fakes_license import ABROAD, DEPARTMENT
from tests.support.patience import PATIENCE, stream
from tests.support.recorded import is_of, records_of
from tests.support.refusing import OLD, asked
from tests.support.uploading import Uploading
from tests.support.values import text_type
from tongban.cases.v1 import events_pb2 as case_events
from tongban.cases.v1.resources_pb2 import CASE_STATE_ACCEPTED, CASE_STATE_DECIDED, CASE_STATE_SUBMITTED
from tongban.common.v1 import common_pb2
from tongban.license.v1 import license_type_service_pb2 as types_pb
from tongban.license.v1 import material_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

PDF = b"%PDF-1.7 " + b"x" * (1024 * 1024 + 10)
OTHER_CASE = "cases/00000000-0000-7000-8000-0000000000c2"
WINDOW = "departments/00000000-0000-7000-8000-0000000000d3"
CHANNEL = "town-portal"
THEIR_CASE = f"//{ABROAD}/cases/00000000-0000-7000-8000-0000000000c7"


async def test_types_are_created_once_published_once_and_listed(licensing: License) -> None:
    first = await licensing.license_type("001")
    second = await licensing.license_type("002", item_codes=["item-2"])
    with pytest.raises(AlreadyExists):
        await licensing.license_type("001")
    twice = [resources.FaceField(key="A", label="a", type=text_type(1))] * 2
    with pytest.raises(InvalidArgument, match="FIELD_INVALID"):
        await licensing.license_type("003", face_fields=twice)
    with pytest.raises(InvalidArgument, match="FIELD_INVALID"):
        await licensing.license_type("004", holder_category=99)
    publish = types_pb.PublishLicenseTypeRequest(name=first.name, etag=first.etag, request_id=request_id())
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        await licensing.call(licensing.types.PublishLicenseType, publish, resources.LicenseType, licensing.staff())
    old = asked("PublishLicenseType", first.name, OLD)
    publishing = licensing.call(licensing.types.PublishLicenseType, old, resources.LicenseType, licensing.staff())
    assert await refused(publishing) == ("ETAG_MISMATCH", "")

    async def page(**filters: Any) -> types_pb.ListLicenseTypesResponse:
        request, answer = types_pb.ListLicenseTypesRequest(**filters), types_pb.ListLicenseTypesResponse
        return await licensing.call(licensing.types.ListLicenseTypes, request, answer, licensing.person())

    start = await page(page_size=1)
    rest = await page(page_size=1, page_token=start.next_page_token)
    assert [*start.license_types, *rest.license_types] == [first, second]
    assert (await page(filter="item_codes:item-2")).license_types == [second]
    assert (await page(filter=f"code = {first.code} AND state = LICENSE_TYPE_STATE_PUBLISHED")).license_types == [first]
    assert (await page(filter="state = LICENSE_TYPE_STATE_DRAFT")).license_types == []
    get = types_pb.GetLicenseTypeRequest(name=second.name)
    found = await licensing.call(licensing.types.GetLicenseType, get, resources.LicenseType, licensing.person())
    assert found == second


def metadata(content: bytes = PDF, **changes: Any) -> pb.MaterialMetadata:
    document = common_pb2.DocumentRef(digest=digest_of(content), media_type="application/pdf", size_bytes=len(content))
    values = {
        "category": "lease",
        "file_name": "租赁合同.pdf",
        "document": document,
        "request_id": request_id(),
        **changes,
    }
    return pb.MaterialMetadata(**values)


def parts_of(meta: pb.MaterialMetadata, content: bytes = PDF) -> list[pb.UploadMaterialRequest]:
    chunks = [content[start : start + 512 * 1024] for start in range(0, len(content), 512 * 1024)]
    return [pb.UploadMaterialRequest(metadata=meta), *(pb.UploadMaterialRequest(chunk=chunk) for chunk in chunks)]


async def upload(licensing: License, parts: Iterable[pb.UploadMaterialRequest], token: str) -> pb.Material:
    async def sent() -> AsyncIterator[pb.UploadMaterialRequest]:
        for part in parts:
            yield part

    try:
        answer: pb.Material = await licensing.materials.UploadMaterial(
            sent(), timeout=PATIENCE, metadata=(("authorization", f"Bearer {token}"),)
        )
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error, "license") from error
    return answer


def _told_to(licensing: License) -> Callable[[common_pb2.Receipt | None], None]:
    return lambda receipt: licensing.told.append(receipt or common_pb2.Receipt())


async def download(licensing: License, name: str, token: str, **fields: str) -> tuple[pb.Material, bytes]:
    request = pb.DownloadMaterialRequest(name=name, use_context=context(**fields))
    method = licensing.materials.DownloadMaterial
    found = stream(method, request, pb.DownloadMaterialResponse, to="license", token=token, tell=_told_to(licensing))
    messages = [message async for message in found]
    return messages[0].material, b"".join(message.chunk for message in messages[1:])


async def refused(call: Any) -> tuple[str, str]:
    with pytest.raises(TongbanError) as caught:
        await call
    return caught.value.reason, caught.value.metadata.get("rule", "")


async def test_a_file_that_was_brought_in_pieces_is_handed_in_by_its_name(licensing: License) -> None:
    bringing = Uploading(licensing.service)
    brought = await bringing.whole(PDF)
    owner = licensing.person(PERSON, org=FIRM)
    meta = metadata(upload=brought.name)
    chunk = pb.UploadMaterialRequest(chunk=b"%PDF-")
    assert await refused(upload(licensing, [pb.UploadMaterialRequest(metadata=meta), chunk], owner)) == (
        "MATERIAL_STREAM_INVALID",
        "no_chunk_expected",
    )
    material = await upload(licensing, [pb.UploadMaterialRequest(metadata=meta)], owner)
    assert (await download(licensing, material.name, owner))[1] == PDF
    await bringing.delete(brought.name)
    assert await upload(licensing, [pb.UploadMaterialRequest(metadata=meta)], owner) == material
    assert (await download(licensing, material.name, owner))[1] == PDF


async def test_an_upload_that_is_not_complete_or_somebody_elses_is_handed_in_by_nobody(licensing: License) -> None:
    open_one, other = await Uploading(licensing.service).create(len(PDF)), await Uploading(licensing.service).whole(PDF)
    different = await Uploading(licensing.service).whole(PDF + b"x")
    owner, stranger = licensing.person(PERSON, org=FIRM), licensing.person(STRANGER)

    async def handed_in(name: str, token: str) -> tuple[str, str]:
        meta = metadata(upload=name)
        return await refused(upload(licensing, [pb.UploadMaterialRequest(metadata=meta)], token))

    assert (await handed_in(open_one.name, owner))[0] == "STATE_CONFLICT"
    assert (await handed_in(other.name, stranger))[0] == "RESOURCE_NOT_FOUND"
    assert await handed_in(different.name, owner) == ("MATERIAL_CONTENT_MISMATCH", "size")


async def test_materials_are_listed_by_whose_they_are(licensing: License) -> None:
    owner, stranger = licensing.person(PERSON, org=FIRM), licensing.person(STRANGER)
    made = [await upload(licensing, parts_of(metadata(category=each)), owner) for each in ("lease", "photo")]
    clerk = licensing.staff()
    handed_in = await upload(licensing, parts_of(metadata(owner=FIRM)), clerk)

    async def listed(token: str, **asked: Any) -> list[str]:
        request, answer = pb.ListMaterialsRequest(**asked), pb.ListMaterialsResponse
        return [
            each.name
            for each in (await licensing.call(licensing.materials.ListMaterials, request, answer, token)).materials
        ]

    another = licensing.token("staff/00000000-0000-7000-8000-0000000000b9", "STAFF", dept=DEPARTMENT)
    assert await listed(owner) == [handed_in.name, made[1].name, made[0].name]
    assert await listed(owner, filter="category = photo AND state = MATERIAL_STATE_ACTIVE") == [made[1].name]
    assert await listed(owner, filter="state = MATERIAL_STATE_EXPIRED") == []
    assert await listed(clerk) == await listed(clerk, owner=FIRM) == [handed_in.name]
    assert await listed(clerk, owner=PERSON) == await listed(another) == []
    assert await listed(stranger) == []
    assert (await refused(listed(stranger, owner=FIRM)))[0] == "NOT_OWNER"


async def test_a_file_is_handed_in_once_and_read_by_those_who_handle_its_case(licensing: License) -> None:
    meta = metadata(case=CASE)
    owner = licensing.person(PERSON, org=FIRM)
    material = await upload(licensing, parts_of(meta), owner)
    assert (material.owner, material.file_name, material.uploader) == (FIRM, "租赁合同.pdf", PERSON)
    assert await upload(licensing, parts_of(meta), owner) == material
    known, content = await download(licensing, material.name, owner)
    assert (known, content) == (material, PDF)
    clerk = licensing.staff(OTHER_DEPARTMENT)
    assert (await refused(download(licensing, material.name, clerk, case=CASE)))[0] == "NOT_OWNER"
    await licensing.works_on(CASE, OTHER_DEPARTMENT)
    _, content = await download(licensing, material.name, clerk, case=CASE)
    assert content == PDF
    assert licensing.told[-1].record
    assert (await refused(download(licensing, material.name, clerk)))[0] == "NOT_OWNER"
    stranger = licensing.person(STRANGER)
    assert (await refused(download(licensing, material.name, stranger, case=CASE)))[0] == "RESOURCE_NOT_FOUND"
    get = pb.GetMaterialRequest(name=material.name, use_context=context(case=CASE))
    assert await licensing.call(licensing.materials.GetMaterial, get, pb.Material, clerk) == material
    with pytest.raises(NotFound):
        await licensing.call(licensing.materials.GetMaterial, get, pb.Material, stranger)


async def test_bad_uploads_keep_nothing(licensing: License) -> None:
    token, meta = licensing.person(), metadata()
    whole = parts_of(meta)
    assert await refused(upload(licensing, whole[1:], token)) == ("MATERIAL_STREAM_INVALID", "metadata_first")
    assert await refused(upload(licensing, [], token)) == ("MATERIAL_STREAM_INVALID", "metadata_first")
    assert await refused(upload(licensing, [whole[0], whole[0]], token)) == (
        "MATERIAL_STREAM_INVALID",
        "chunk_expected",
    )
    assert await refused(upload(licensing, whole[:-1], token)) == ("MATERIAL_CONTENT_MISMATCH", "size")
    assert await refused(upload(licensing, [*whole, whole[-1]], token)) == ("MATERIAL_CONTENT_MISMATCH", "size")
    swapped = [*whole[:-1], pb.UploadMaterialRequest(chunk=bytes(len(whole[-1].chunk)))]
    assert await refused(upload(licensing, swapped, token)) == ("MATERIAL_CONTENT_MISMATCH", "digest")
    text = b"no PDF at all"
    assert await refused(upload(licensing, parts_of(metadata(text), text), token)) == (
        "MATERIAL_CONTENT_MISMATCH",
        "media_type",
    )
    large = metadata()
    large.document.size_bytes = 21 * 1024 * 1024
    assert (await refused(upload(licensing, parts_of(large), token)))[0] == "MATERIAL_TOO_LARGE"
    other = metadata()
    other.document.media_type = "text/html"
    assert (await refused(upload(licensing, parts_of(other), token)))[0] == "FIELD_INVALID"
    assert (await refused(upload(licensing, parts_of(metadata(owner=FIRM)), token)))[0] == "NOT_OWNER"
    assert (await refused(upload(licensing, parts_of(metadata()), licensing.staff())))[0] == "FIELD_INVALID"
    await upload(licensing, whole, token)
    meta.category = "other"
    assert (await refused(upload(licensing, parts_of(meta), token)))[0] == "REQUEST_ID_REUSED"


async def test_the_record_of_an_upload_is_of_the_message_that_names_the_digest_of_the_rest(licensing: License) -> None:
    parts = parts_of(metadata(request_id="00000000-0000-4000-8000-00000000000c"))
    await upload(licensing, parts, licensing.person())
    process = licensing.service.process
    (record,) = await records_of(process, "UploadMaterial")
    assert is_of(process, record, parts[0].SerializeToString())
    assert digest_of(PDF).encode() in parts[0].SerializeToString()
    assert not is_of(process, record, parts[0].metadata.SerializeToString())


async def test_the_handling_region_fetches_it_for_its_case(licensing: License) -> None:
    meta = metadata(owner=FIRM, case=THEIR_CASE, handling_region=ABROAD)
    material = await upload(licensing, parts_of(meta), licensing.staff())

    async def fetch(token: str, case: str) -> bytes:
        request = pb.DownloadMaterialRequest(name=material.name, use_context=context(case=case))
        method, answer = licensing.materials.DownloadMaterial, pb.DownloadMaterialResponse
        found = [message async for message in stream(method, request, answer, to="license", token=token)]
        assert found[0].material.name == f"//341500/{material.name}"
        return b"".join(part.chunk for part in found[1:])

    assert await fetch(licensing.region(), THEIR_CASE) == PDF
    assert await fetch(licensing.region(), THEIR_CASE.removeprefix(f"//{ABROAD}/")) == PDF
    assert (await refused(fetch(licensing.region(), "cases/1")))[0] == "RESOURCE_NOT_FOUND"
    licensing.known.trusted.add("110000")
    assert (await refused(fetch(licensing.region("110000"), THEIR_CASE)))[0] == "RESOURCE_NOT_FOUND"
    guest = licensing.person(f"//{ABROAD}/{STRANGER}", region=ABROAD)
    assert (await refused(download(licensing, material.name, guest, case=THEIR_CASE)))[0] == "RESOURCE_NOT_FOUND"


async def test_another_regions_material_is_fetched_there(licensing: License) -> None:
    name = f"//{ABROAD}/materials/00000000-0000-7000-8000-0000000000f5"
    assert (await refused(download(licensing, name, licensing.staff(), case=CASE)))[0] == "NOT_OWNER"
    await licensing.works_on(CASE, DEPARTMENT, materials=[name])
    _, content = await download(licensing, name, licensing.staff(), case=CASE)
    assert content == b"%PDF-1.7 of another region"
    (asked,) = licensing.known.asked
    assert (asked.name, asked.use_context.case) == (name[9:], f"//341500/{CASE}")
    # A person who knows name and case asks there in their own name, not with this region's right to the case.
    assert (await refused(download(licensing, name, licensing.person(), case=CASE)))[0] == "RESOURCE_NOT_FOUND"
    assert licensing.known.tokens_used[-1] == "Bearer access:assertion:person"


async def test_who_only_names_a_case_reads_none_of_its_files(licensing: License) -> None:
    material = await upload(licensing, parts_of(metadata(owner=FIRM, case=CASE)), licensing.person(org=FIRM))
    await licensing.works_on(CASE, OTHER_DEPARTMENT, receiving_department=WINDOW, actor=f"clients/{CHANNEL}")
    await licensing.works_on(OTHER_CASE, DEPARTMENT)
    machine = {name: licensing.token(f"clients/{name}", "CLIENT") for name in (CHANNEL, "another")}
    for reader, reason in (
        (licensing.staff(), "NOT_OWNER"),
        (machine["another"], "NOT_OWNER"),
        (licensing.person(STRANGER), "RESOURCE_NOT_FOUND"),
    ):
        for case in (CASE, OTHER_CASE, "cases/00000000-0000-7000-8000-0000000000ff", ""):
            assert (await refused(download(licensing, material.name, reader, case=case)))[0] == reason
    at_window = licensing.token(STRANGER, "STAFF", dept=OTHER_DEPARTMENT, act={"sub": STAFF})
    assert (await refused(download(licensing, material.name, at_window, case=CASE)))[0] == "RESOURCE_NOT_FOUND"
    for reader in (licensing.staff(OTHER_DEPARTMENT), licensing.staff(WINDOW), machine[CHANNEL]):
        assert (await download(licensing, material.name, reader, case=CASE))[1] == PDF
    await licensing.works_on(CASE, OTHER_DEPARTMENT, state=CASE_STATE_DECIDED, sequence=9)
    clerk = licensing.staff(OTHER_DEPARTMENT)
    assert (await refused(download(licensing, material.name, clerk, case=CASE)))[0] == "NOT_OWNER"


async def test_a_file_is_read_in_every_case_that_its_owner_put_it_into(licensing: License) -> None:
    material = await upload(licensing, parts_of(metadata(owner=FIRM)), licensing.person(org=FIRM))
    clerk = licensing.staff(OTHER_DEPARTMENT)
    await licensing.works_on(CASE, OTHER_DEPARTMENT)
    assert (await refused(download(licensing, material.name, clerk, case=CASE)))[0] == "NOT_OWNER"
    summary = case_events.CaseSummary(
        name=CASE, sequence=3, state=CASE_STATE_SUBMITTED, applicant=FIRM, department=OTHER_DEPARTMENT
    )
    await licensing.hear("case.corrected", CASE, case_events.CaseCorrected(case=summary, materials=[material.name]))
    assert (await download(licensing, material.name, clerk, case=CASE))[1] == PDF
    # Who names a stranger's file in a case of their own opens it for nobody.
    await licensing.works_on(OTHER_CASE, OTHER_DEPARTMENT, applicant=STRANGER, materials=[material.name])
    assert (await refused(download(licensing, material.name, clerk, case=OTHER_CASE)))[0] == "NOT_OWNER"


async def test_a_window_reads_what_it_handed_in_before_there_is_a_case(licensing: License) -> None:
    clerk = licensing.staff()
    material = await upload(licensing, parts_of(metadata(owner=FIRM, case=CASE)), clerk)
    assert (await download(licensing, material.name, clerk))[1] == PDF
    colleague = licensing.token("staff/00000000-0000-7000-8000-0000000000b9", "STAFF", dept=DEPARTMENT)
    assert (await refused(download(licensing, material.name, colleague, case=CASE)))[0] == "NOT_OWNER"


async def test_who_was_never_told_of_the_submission_hears_of_the_case_when_it_is_accepted(licensing: License) -> None:
    material = await upload(licensing, parts_of(metadata(owner=FIRM, case=CASE)), licensing.person(org=FIRM))
    clerk = licensing.staff(OTHER_DEPARTMENT)
    summary = case_events.CaseSummary(
        name=CASE, sequence=3, state=CASE_STATE_ACCEPTED, applicant=FIRM, department=OTHER_DEPARTMENT
    )
    await licensing.hear("case.accepted", CASE, case_events.CaseAccepted(case=summary))
    assert (await download(licensing, material.name, clerk, case=CASE))[1] == PDF
