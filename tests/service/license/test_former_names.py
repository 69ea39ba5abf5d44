"""Whose account took another one in finds what is kept under the former name."""

from tests.service.license.conftest import FIRM, PERSON, STRANGER, License, context, person_holder
from tests.service.license.presenting import MANDATE, create, refused
from tests.service.license.test_catalogue_and_materials import download, metadata, parts_of, upload
from tongban.errors.v1 import error_reason_pb2
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources

NOW = "persons/00000000-0000-7000-8000-0000000000c9"


async def test_a_holder_finds_their_licences_under_both_names(licensing: License) -> None:
    kind = await licensing.license_type()
    old = await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder()]))
    new = await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder(NOW)]))
    token, list_ = licensing.person(NOW, former=[PERSON]), licensing.licenses.ListLicenses

    async def listed(**more: str) -> list[str]:
        request = pb.ListLicensesRequest(use_context=context(), **more)  # type: ignore[arg-type]
        return [each.name for each in (await licensing.call(list_, request, pb.ListLicensesResponse, token)).licenses]

    assert await listed() == [new.name, old.name]
    assert await listed(holder=PERSON) == [old.name]
    assert (await refused(listed(holder=STRANGER)))[0] == "NOT_OWNER"
    get = pb.GetLicenseRequest(name=old.name, use_context=context())
    assert (await licensing.call(licensing.licenses.GetLicense, get, resources.License, token)).name == old.name
    unmerged = licensing.person(NOW)
    read = licensing.call(licensing.licenses.GetLicense, get, resources.License, unmerged)
    assert (await refused(read))[0] == "RESOURCE_NOT_FOUND"


async def test_materials_and_presentations_are_found_too(licensing: License) -> None:
    old = await upload(licensing, parts_of(metadata()), licensing.person())
    token = licensing.person(NOW, former=[PERSON])
    new = await upload(licensing, parts_of(metadata(category="photo")), token)
    asked = materials.ListMaterialsRequest()
    found = await licensing.call(licensing.materials.ListMaterials, asked, materials.ListMaterialsResponse, token)
    assert [each.name for each in found.materials] == [new.name, old.name]
    assert (await download(licensing, old.name, token))[0].name == old.name
    kind = await licensing.license_type()
    held = await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder()]))
    shown = (await create(licensing, licensing.person(), held.name)).presentation
    listed = await licensing.call(
        licensing.presentations.ListPresentations,
        presentations.ListPresentationsRequest(),
        presentations.ListPresentationsResponse,
        token,
    )
    assert [each.name for each in listed.presentations] == [shown.name]
    assert FIRM not in {each.holder for each in listed.presentations}


async def test_a_mandate_limits_what_is_shown_under_a_former_name_of_the_principal_too(licensing: License) -> None:
    kind = await licensing.license_type()
    held = await licensing.issue(licensing.order(kind.name, case="", holders=[person_holder()]))
    acting = licensing.person(STRANGER, org=NOW, org_former=[PERSON], mandate=MANDATE)
    licensing.known.mandate_refusal = error_reason_pb2.ERROR_REASON_MANDATE_OUT_OF_SCOPE
    assert (await refused(create(licensing, acting, held.name, holder=PERSON)))[0] == "MANDATE_OUT_OF_SCOPE"
    licensing.known.mandate_refusal = error_reason_pb2.ERROR_REASON_UNSPECIFIED
    assert (await create(licensing, acting, held.name, holder=PERSON)).presentation.holder == PERSON
    assert {each.principal for each in licensing.known.mandates_asked} == {PERSON}
