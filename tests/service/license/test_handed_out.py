"""Files that are handed out as uploads of who asked: fetched by ranges, theirs alone, refused before anything is recorded."""

import uuid

import grpc
import pytest

from libs.errors import NotFound, ResourceExhausted
from tests.service.license.conftest import FIRM, PERSON, STAFF, STRANGER, License, context
from tests.service.license.test_catalogue_and_materials import PDF, metadata, parts_of, upload
from tests.service.license.test_use import uses
from tests.service.license.test_verification import file_of
from tests.support.uploading import Uploading, digest_of
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as verification


async def test_a_material_is_handed_out_as_an_upload_of_whose_call_it_was(licensing: License) -> None:
    owner = licensing.person(PERSON, org=FIRM)
    material = await upload(licensing, parts_of(metadata()), owner)
    request = materials.DownloadMaterialRequest(name=material.name, use_context=context(), as_upload=True)
    found = [
        part
        async for part in licensing.materials.DownloadMaterial(request, metadata=[("authorization", f"Bearer {owner}")])
    ]
    assert [(part.material.name, part.chunk) for part in found] == [(material.name, b"")]
    mine, other = Uploading(licensing.service), Uploading(licensing.service, STRANGER)
    told, part = await mine.download(found[0].upload, offset=5, limit=10)
    assert (part, told.digest, told.media_type) == (PDF[5:15], digest_of(PDF), material.document.media_type)
    with pytest.raises(NotFound):
        await other.download(found[0].upload)


async def test_a_licences_file_is_handed_out_as_an_upload(licensing: License) -> None:
    made = await licensing.issued()
    request = pb.DownloadLicenseRequest(
        name=made.name, format=resources.FILE_FORMAT_OFD, use_context=context(), as_upload=True
    )
    told = await licensing.call(
        licensing.licenses.DownloadLicense, request, pb.DownloadLicenseResponse, licensing.staff()
    )
    assert (told.WhichOneof("result"), told.annotated) == ("upload", True)
    staff = Uploading(licensing.service, STAFF, kind="STAFF")
    upload_, content = await staff.download(told.upload)
    assert digest_of(content) == upload_.digest == told.document.digest


async def test_who_has_no_room_is_refused_before_a_use_is_recorded(licensing: License) -> None:
    made = await licensing.issued()
    await Uploading(licensing.service, STAFF, kind="STAFF").fill()
    before = await uses(licensing, licensing.staff(), license=made.name)
    request = pb.DownloadLicenseRequest(
        name=made.name, format=resources.FILE_FORMAT_OFD, use_context=context(), as_upload=True
    )
    with pytest.raises(ResourceExhausted) as caught:
        await licensing.call(licensing.licenses.DownloadLicense, request, pb.DownloadLicenseResponse, licensing.staff())
    assert caught.value.reason == "UPLOAD_QUOTA_EXCEEDED"
    assert await uses(licensing, licensing.staff(), license=made.name) == before


async def test_nor_is_a_material_read_for_whom_there_is_no_room(licensing: License) -> None:
    owner = licensing.person(PERSON, org=FIRM)
    material = await upload(licensing, parts_of(metadata()), owner)
    await Uploading(licensing.service).fill()
    request = materials.DownloadMaterialRequest(name=material.name, use_context=context(), as_upload=True)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [
            part
            async for part in licensing.materials.DownloadMaterial(
                request, metadata=[("authorization", f"Bearer {owner}")]
            )
        ]
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_licence_is_verified_by_an_upload(licensing: License) -> None:
    made = await licensing.issued()
    original = (await file_of(licensing, made.name, original=True)).content
    bringing = Uploading(licensing.service)
    brought, begun = await bringing.whole(original), await bringing.create(9)
    token = licensing.person(PERSON)

    async def verified(name: str, token: str) -> verification.VerifyLicenseResponse:
        request = verification.VerifyLicenseRequest(upload=name)
        return await licensing.call(
            licensing.verification.VerifyLicense, request, verification.VerifyLicenseResponse, token
        )

    assert (await verified(brought.name, token)).standing == verification.STANDING_VALID
    for name, whose in ((brought.name, licensing.person(STRANGER)), (f"license/uploads/{uuid.uuid4()}", token)):
        with pytest.raises(NotFound):
            await verified(name, whose)
    with pytest.raises(Exception, match="OPEN"):
        await verified(begun.name, token)
