"""No record, no service: every read of a licence, of its uses, of a material, leaves its record first."""

from typing import Any

import pytest

from libs.errors import Unavailable
from tests.service.license.conftest import CASE, FIRM, PERSON, STAFF, License, context
from tests.service.license.test_catalogue_and_materials import download, metadata, parts_of, upload
from tests.support.fakes_license import DEPARTMENT
from tests.support.silence import reads, records, silenced
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import material_service_pb2, presentation_service_pb2, resources_pb2, use_service_pb2

AS_CHANGES = {"UploadMaterial"}
"""An upload, which is recorded as a change."""


async def test_no_record_no_answer(licensing: License) -> None:
    made, why = await licensing.issued(), context()
    file = (await upload(licensing, parts_of(metadata(case=CASE)), licensing.person(PERSON, org=FIRM))).name
    await licensing.works_on(CASE, DEPARTMENT)
    calls: dict[str, tuple[Any, Any, Any]] = {
        "GetLicense": (
            licensing.licenses.GetLicense,
            pb.GetLicenseRequest(name=made.name, use_context=why),
            resources_pb2.License,
        ),
        "BatchGetLicenses": (
            licensing.licenses.BatchGetLicenses,
            pb.BatchGetLicensesRequest(names=[made.name], use_context=why),
            pb.BatchGetLicensesResponse,
        ),
        "LookupByIdentifier": (
            licensing.licenses.LookupByIdentifier,
            pb.LookupByIdentifierRequest(identifier=made.identifier, use_context=why),
            resources_pb2.License,
        ),
        "ListLicenses": (
            licensing.licenses.ListLicenses,
            pb.ListLicensesRequest(holder=FIRM, use_context=why),
            pb.ListLicensesResponse,
        ),
        "DownloadLicense": (
            licensing.licenses.DownloadLicense,
            pb.DownloadLicenseRequest(name=made.name, use_context=why, format=resources_pb2.FILE_FORMAT_OFD),
            pb.DownloadLicenseResponse,
        ),
        "ListLicenseUses": (
            licensing.uses.ListLicenseUses,
            use_service_pb2.ListLicenseUsesRequest(license=made.name),
            use_service_pb2.ListLicenseUsesResponse,
        ),
        "ListMaterials": (
            licensing.materials.ListMaterials,
            material_service_pb2.ListMaterialsRequest(),
            material_service_pb2.ListMaterialsResponse,
        ),
        "GetMaterial": (
            licensing.materials.GetMaterial,
            material_service_pb2.GetMaterialRequest(name=file, use_context=context(case=CASE)),
            material_service_pb2.Material,
        ),
    }
    at_window = {
        "ListPresentations": (
            licensing.presentations.ListPresentations,
            presentation_service_pb2.ListPresentationsRequest(),
            presentation_service_pb2.ListPresentationsResponse,
        )
    }
    assert reads("tongban.license.v1") - AS_CHANGES == calls.keys() | at_window.keys() | {"DownloadMaterial"}
    window = licensing.token(PERSON, "STAFF", dept=DEPARTMENT, act={"sub": STAFF})
    for verb, (method, request, answer) in (calls | at_window).items():
        token = window if verb in at_window else licensing.staff()
        before = len(await records(licensing.service))
        await licensing.call(method, request, answer, token)
        assert len(await records(licensing.service)) > before, verb
        async with silenced(licensing.service, "license"):
            with pytest.raises(Unavailable) as refused:
                await licensing.call(method, request, answer, token)
        assert refused.value.reason == "AUDIT_UNAVAILABLE", verb
    await download(licensing, file, licensing.staff(), case=CASE)
    async with silenced(licensing.service, "license"):
        with pytest.raises(Unavailable):
            await download(licensing, file, licensing.staff(), case=CASE)
