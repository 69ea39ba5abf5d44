"""Reads of licences, uses and files that are refused, each for its reason."""

import pytest

from libs.errors import FailedPrecondition, PermissionDenied, TongbanError, Unavailable
from tests.service.license.conftest import CASE, FIRM, OTHER_DEPARTMENT, PERSON, STRANGER, License, context
from tests.service.license.presenting import MANDATE
from tests.service.license.test_catalogue_and_materials import download, metadata, parts_of, upload
from tests.service.license.test_use import refused, uses
from tests.service.license.test_verification import file_of
from tests.support.backends import HOST
from tests.support.fakes_license import ABROAD, DEPARTMENT
from tests.support.silence import silenced
from tongban.license.v1 import license_service_pb2 as licenses
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import resources_pb2 as resources

NOBODYS = "//999999/materials/00000000-0000-7000-8000-0000000000f5"


async def looked_up(licensing: License, identifier: str, token: str) -> resources.License:
    request = licenses.LookupByIdentifierRequest(identifier=identifier, use_context=context())
    return await licensing.call(licensing.licenses.LookupByIdentifier, request, resources.License, token)


async def test_who_looks_a_licence_up_needs_a_basis_as_who_names_it(licensing: License) -> None:
    made = await licensing.issued()
    assert await refused(looked_up(licensing, made.identifier, licensing.staff(OTHER_DEPARTMENT))) == (
        "LICENSE_USE_NOT_ALLOWED",
        "case",
    )
    assert (await refused(looked_up(licensing, made.identifier, licensing.person(STRANGER))))[0] == "RESOURCE_NOT_FOUND"
    assert (await looked_up(licensing, made.identifier, licensing.person(PERSON, org=FIRM))).name == made.name


async def test_officials_are_told_that_a_file_is_not_for_them(licensing: License) -> None:
    """People hear of it as of one that never was; so does who names a case that is not theirs."""
    file = (await upload(licensing, parts_of(metadata(case=CASE)), licensing.person(PERSON, org=FIRM))).name
    request = materials.GetMaterialRequest(name=file, use_context=context(case=CASE))
    for token, reason in (
        (licensing.staff(), "NOT_OWNER"),
        (licensing.token("clients/other", "CLIENT"), "NOT_OWNER"),
        (licensing.person(STRANGER), "RESOURCE_NOT_FOUND"),
    ):
        got = licensing.call(licensing.materials.GetMaterial, request, materials.Material, token)
        assert (await refused(got))[0] == reason


async def test_no_file_is_fetched_from_a_region_that_nobody_trusts(licensing: License) -> None:
    await licensing.works_on(CASE, DEPARTMENT, materials=[NOBODYS])
    for token in (licensing.staff(), licensing.person()):
        assert (await refused(download(licensing, NOBODYS, token, case=CASE)))[0] == "REGION_NOT_TRUSTED"
    assert licensing.known.asked == []


async def test_a_page_of_uses_goes_on_with_its_own_token_only(licensing: License) -> None:
    one, other = await licensing.issued(), await licensing.issued()
    for made in (one, one, other):
        await looked_up(licensing, made.identifier, licensing.staff())
    page = await uses(licensing, licensing.staff(), license=one.name, page_size=1)
    assert page.next_page_token
    for wrong in (
        {"license": other.name, "page_token": page.next_page_token},
        {"license": one.name, "page_token": "x"},
    ):
        assert (await refused(uses(licensing, licensing.staff(), page_size=1, **wrong)))[0] == "PAGE_TOKEN_INVALID"


async def test_a_file_is_not_verified_while_its_seal_can_not_be_looked_at(licensing: License) -> None:
    """Nothing is said then: neither that it is good nor that it is not."""
    made = await licensing.issued()
    original = (await file_of(licensing, made.name, original=True)).content
    licensing.known.validation_error = Unavailable("DEPENDENCY_UNAVAILABLE", "away", dependency="seal")
    assert (await refused(licensing.verify(content=original)))[0] == "DEPENDENCY_UNAVAILABLE"
    assert (await licensing.verify(identifier=made.identifier)).identifier == made.identifier


async def test_another_regions_licence_is_not_verified_while_that_region_is_away(licensing: License) -> None:
    made = await licensing.issued()
    licensing.known.gateways[ABROAD] = f"http://{HOST}:1"
    with pytest.raises(TongbanError) as caught:
        await licensing.verify(identifier=made.identifier, region=ABROAD)
    assert (caught.value.reason, caught.value.metadata) == ("DEPENDENCY_UNAVAILABLE", {"dependency": f"//{ABROAD}"})


async def test_no_region_is_asked_about_a_licence_without_a_record(licensing: License) -> None:
    made = await licensing.issued()
    async with silenced(licensing.service, "license"):
        asked = licensing.verify(identifier=made.identifier, region=ABROAD)
        assert (await refused(asked))[0] == "AUDIT_UNAVAILABLE"
    assert licensing.known.asked == []


_ENDED = (
    FailedPrecondition("PERSON_NOT_ACTIVE", "merged", person=PERSON),
    FailedPrecondition("ORGANIZATION_NOT_ACTIVE", "closed", organization=FIRM),
    PermissionDenied("MANDATE_NOT_ACTIVE", "revoked", mandate=MANDATE, state="REVOKED"),
    PermissionDenied("NOT_LEGAL_REPRESENTATIVE", "replaced", organization=FIRM),
)


@pytest.mark.parametrize("ended", _ENDED, ids=lambda error: error.reason)
async def test_whose_standing_has_ended_since_their_token_was_made_has_a_token_that_holds_no_more(
    licensing: License, ended: TongbanError
) -> None:
    """Identity says why where it makes an assertion of it; abroad nothing is asked, and here the token is what is refused."""
    licensing.known.exchange_error = ended
    person, there = licensing.person(PERSON, org=FIRM), f"//{ABROAD}/licenses/00000000-0000-7000-8000-0000000000e8"
    got = licenses.GetLicenseRequest(name=there, use_context=context())
    copy = licenses.DownloadLicenseRequest(name=there, use_context=context(), format=resources.FILE_FORMAT_OFD)
    stub = licensing.licenses
    for read in (
        licensing.call(stub.GetLicense, got, resources.License, person),
        licensing.call(stub.DownloadLicense, copy, licenses.DownloadLicenseResponse, person),
        download(licensing, NOBODYS.replace("999999", ABROAD), person),
    ):
        assert await refused(read) == ("TOKEN_INVALID", "withdrawn")
    assert licensing.known.asked == []
