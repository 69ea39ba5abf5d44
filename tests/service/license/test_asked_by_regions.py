"""One RPC for all who ask (decision 0060): another region gets what is here, in the answer, and is passed on to nobody."""

from typing import Any

import pytest

from libs.errors import TongbanError
from libs.rpc.client import stream
from tests.service.license.conftest import CASE, FIRM, License, context, request_id
from tests.service.license.presenting import THEIR_CASE
from tests.service.license.test_catalogue_and_materials import metadata, parts_of, upload
from tests.support.fakes_license import ABROAD
from tests.support.unknown import FIELD
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import verification_service_pb2 as verification

THIRD = "320500"
_ID = "00000000-0000-7000-8000-0000000000e8"


def _questions(licensing: License) -> dict[str, tuple[Any, Any, Any]]:
    """Each question, about what lies in a third region."""
    why = context(case=THEIR_CASE)
    return {
        "GetLicense": (
            licensing.licenses.GetLicense,
            pb.GetLicenseRequest(name=f"//{THIRD}/licenses/{_ID}", use_context=why),
            resources.License,
        ),
        "DownloadLicense": (
            licensing.licenses.DownloadLicense,
            pb.DownloadLicenseRequest(
                name=f"//{THIRD}/licenses/{_ID}", use_context=why, format=resources.FILE_FORMAT_OFD
            ),
            pb.DownloadLicenseResponse,
        ),
        "RedeemPresentation by name": (
            licensing.presentations.RedeemPresentation,
            presentations.RedeemPresentationRequest(
                name=f"//{THIRD}/presentations/{_ID}", use_context=why, request_id=request_id()
            ),
            presentations.RedeemPresentationResponse,
        ),
        "RedeemPresentation by code": (
            licensing.presentations.RedeemPresentation,
            presentations.RedeemPresentationRequest(
                code=f"{THIRD}-{'A' * 26}", use_context=why, request_id=request_id()
            ),
            presentations.RedeemPresentationResponse,
        ),
        "VerifyLicense": (
            licensing.verification.VerifyLicense,
            verification.VerifyLicenseRequest(digest=f"sm3:{'0' * 64}", region=THIRD),
            verification.VerifyLicenseResponse,
        ),
    }


async def _fetched(licensing: License, token: str, **asked: Any) -> list[materials.DownloadMaterialResponse]:
    request = materials.DownloadMaterialRequest(use_context=context(case=THEIR_CASE), **asked)
    method, answer = licensing.materials.DownloadMaterial, materials.DownloadMaterialResponse
    return [part async for part in stream(method, request, answer, to="license", token=token)]


async def test_another_region_is_not_passed_on_to_a_third(licensing: License) -> None:
    licensing.known.trusted.add(THIRD)
    for question, (method, request, answer) in _questions(licensing).items():
        with pytest.raises(TongbanError) as refused:
            await licensing.call(method, request, answer, licensing.region())
        assert (refused.value.reason, refused.value.metadata) == ("REGION_MISMATCH", {"region": THIRD}), question
    with pytest.raises(TongbanError) as refused:
        await _fetched(licensing, licensing.region(), name=f"//{THIRD}/materials/{_ID}")
    assert refused.value.reason == "REGION_MISMATCH"
    assert licensing.known.asked == []


async def test_another_regions_staff_are_asked_for_by_their_region(licensing: License) -> None:
    officer = licensing.token(f"//{ABROAD}/staff/{_ID}", "REGION", region=ABROAD, human=f"//{ABROAD}/persons/{_ID}")
    for question, (method, request, answer) in _questions(licensing).items():
        if question == "VerifyLicense":
            continue  # anybody's
        with pytest.raises(TongbanError) as refused:
            await licensing.call(method, request, answer, officer)
        assert refused.value.reason == "ACTOR_NOT_ALLOWED", question
    with pytest.raises(TongbanError) as refused:
        await _fetched(licensing, officer, name=f"materials/{_ID}")
    assert refused.value.reason == "ACTOR_NOT_ALLOWED"


async def test_another_region_gets_the_bytes_and_has_no_uploads_here(licensing: License) -> None:
    made = await licensing.issued(case=CASE, receiving_region=ABROAD)
    request = pb.DownloadLicenseRequest(
        name=made.name, format=resources.FILE_FORMAT_OFD, use_context=context(case=f"//341500/{CASE}"), as_upload=True
    )
    method, answer = licensing.licenses.DownloadLicense, pb.DownloadLicenseResponse
    with pytest.raises(TongbanError) as refused:
        await licensing.call(method, request, answer, licensing.region())
    assert [(each.field, each.rule) for each in refused.value.violations] == [("as_upload", "as_upload.region")]
    meta = metadata(owner=FIRM, case=THEIR_CASE, handling_region=ABROAD)
    kept = await upload(licensing, parts_of(meta), licensing.staff())
    with pytest.raises(TongbanError) as refused:
        await _fetched(licensing, licensing.region(), name=kept.name, as_upload=True)
    assert [(each.field, each.rule) for each in refused.value.violations] == [("as_upload", "as_upload.region")]
    request.as_upload = False
    assert (await licensing.call(method, request, answer, licensing.region())).content


async def test_a_newer_regions_question_gets_through_and_a_newer_clients_does_not(licensing: License) -> None:
    """The same bytes: a region can't know which release the other has; whoever calls here can (decision 0032)."""
    made = await licensing.issued(case=CASE, receiving_region=ABROAD)
    request = pb.GetLicenseRequest(name=made.name, use_context=context(case=f"//341500/{CASE}"))
    request.MergeFromString(FIELD)
    method, answer = licensing.licenses.GetLicense, resources.License
    assert (await licensing.call(method, request, answer, licensing.region())).name == f"//341500/{made.name}"
    for token in (licensing.staff(), licensing.person(f"//{ABROAD}/persons/{_ID}", region=ABROAD)):
        with pytest.raises(TongbanError) as refused:
            await licensing.call(method, request, answer, token)
        assert {each.rule for each in refused.value.violations} == {"protobuf.unknown_field"}
