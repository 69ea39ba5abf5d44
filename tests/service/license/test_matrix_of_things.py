"""Whose things each caller reaches here: what each is answered about a real one is what `matrix_of_things.txt` says."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest_asyncio
from google.protobuf.message import Message

from libs.clock import FakeClock
from libs.process import Process
from libs.security.withdrawals import Withdrawals
from tests.service.license.conftest import (
    OTHER_DEPARTMENT,
    TYPE_AUTHORITY,
    License,
    context,
    firm_holder,
    person_holder,
    request_id,
)
from tests.service.license.presenting import create
from tests.service.license.test_catalogue_and_materials import metadata, parts_of, upload
from tests.support.fakes_license import DEPARTMENT, neighbours
from tests.support.refusing import OLD, asked
from tests.support.service import Ground, serving
from tests.support.things import (
    CLIENT,
    FIRM,
    OWNER,
    REPRESENTATIVE,
    Asking,
    Question,
    differences,
    of_nobody,
    one_mandate_revoked,
    rpcs_of,
    written,
)
from tongban.license.v1 import license_service_pb2 as pb
from tongban.license.v1 import license_type_service_pb2 as types_pb
from tongban.license.v1 import material_service_pb2 as materials
from tongban.license.v1 import presentation_service_pb2 as presentations
from tongban.license.v1 import resources_pb2 as resources
from tongban.license.v1 import use_service_pb2 as uses

FILE = b"%PDF-1.7 a file of theirs"
CASES = {
    "person": "cases/00000000-0000-7000-8000-0000000000c1",
    "firm": "cases/00000000-0000-7000-8000-0000000000c2",
    "brought": "",
}
OWNERS = {"person": OWNER, "firm": FIRM, "brought": OWNER}
OURS = f"//341500/{DEPARTMENT}"


@dataclass
class Furnished:
    """The service with things in it, by what the table calls them."""

    licensing: License
    kind: str
    draft: str
    licenses: dict[str, resources.License]
    materials: dict[str, str]
    presented: dict[str, presentations.CreatePresentationResponse]


@pytest_asyncio.fixture
async def furnished(ground: Ground) -> AsyncIterator[Furnished]:
    """A licence, a material and a presentation of the owner and of the firm, all of the department."""
    async with neighbours() as known:

        def prepare(process: Process) -> None:
            known.put_into(process)
            process.withdrawals = Withdrawals(one_mandate_revoked)

        clock = FakeClock(datetime(2024, 5, 6, 2, 0, tzinfo=UTC))
        async with serving(ground, "license", clock, prepare=prepare) as service:
            yield await _furnished(License(service, known, clock))


async def _furnished(licensing: License) -> Furnished:
    kind = (await licensing.license_type()).name
    created = types_pb.CreateLicenseTypeRequest(license_type=_draft(), request_id=request_id())
    token = licensing.staff()
    draft = await licensing.call(licensing.types.CreateLicenseType, created, resources.LicenseType, token)
    held = {"person": person_holder(OWNER), "firm": firm_holder(FIRM)}
    made = {
        thing: await licensing.issue(licensing.order(kind, holders=[holder], case=CASES[thing]))
        for thing, holder in held.items()
    }
    tokens = {
        "person": licensing.person(OWNER),
        "firm": licensing.person(REPRESENTATIVE, org=FIRM),
        "brought": licensing.token(CLIENT, "CLIENT"),
    }
    files = {}
    for thing, bearer in tokens.items():
        if CASES[thing]:
            await licensing.works_on(CASES[thing], DEPARTMENT, applicant=OWNERS[thing], actor=CLIENT)
        meta = metadata(FILE, owner=OWNERS[thing], case=CASES[thing])
        files[thing] = (await upload(licensing, parts_of(meta, FILE), bearer)).name
    shown = {
        thing: await create(licensing, tokens[thing], each.name, verifier=OURS, use_context=context(case=CASES[thing]))
        for thing, each in made.items()
    }
    return Furnished(licensing, kind, draft.name, made, files, shown)


def _draft() -> resources.LicenseType:
    return resources.LicenseType(
        code=TYPE_AUTHORITY + "900",
        display_name="测试证照",
        defining_authority="测试局",
        holder_category=resources.HOLDER_CATEGORY_ANY,
        page_layout=resources.PAGE_LAYOUT_A4_LANDSCAPE,
    )


def _questions(there: Furnished) -> list[Question]:
    order = there.licensing.order
    make: dict[str, Callable[[str], Message | list[Message]]] = {
        "LicenseService.IssueLicense": lambda _: order(there.kind, case="", validate_only=True),
        "LicenseService.GetLicense": lambda thing: pb.GetLicenseRequest(
            name=there.licenses[thing].name, use_context=context()
        ),
        "LicenseService.ListLicenses": lambda thing: pb.ListLicensesRequest(
            holder=OWNERS[thing], use_context=context()
        ),
        "LicenseService.BatchGetLicenses": lambda thing: pb.BatchGetLicensesRequest(
            names=[there.licenses[thing].name], use_context=context()
        ),
        "LicenseService.LookupByIdentifier": lambda thing: pb.LookupByIdentifierRequest(
            identifier=there.licenses[thing].identifier, use_context=context()
        ),
        "LicenseService.RevokeLicense": lambda thing: asked("RevokeLicense", there.licenses[thing].name, OLD),
        "LicenseService.DownloadLicense": lambda thing: pb.DownloadLicenseRequest(
            name=there.licenses[thing].name, use_context=context(), format=resources.FILE_FORMAT_OFD
        ),
        "LicenseTypeService.UpdateLicenseType": lambda _: _update(there.draft),
        "LicenseTypeService.DeleteLicenseType": lambda _: asked("DeleteLicenseType", there.draft, OLD),
        "LicenseTypeService.PublishLicenseType": lambda _: asked("PublishLicenseType", there.draft, OLD),
        "LicenseTypeService.GetLicenseType": lambda _: types_pb.GetLicenseTypeRequest(name=there.draft),
        "MaterialService.UploadMaterial": lambda thing: list(parts_of(metadata(FILE, owner=OWNERS[thing]), FILE)),
        "MaterialService.GetMaterial": lambda thing: materials.GetMaterialRequest(
            name=there.materials[thing], use_context=context(case=CASES[thing])
        ),
        "MaterialService.ListMaterials": lambda thing: materials.ListMaterialsRequest(
            owner=OWNERS[thing], page_size=1000
        ),
        "MaterialService.DownloadMaterial": lambda thing: materials.DownloadMaterialRequest(
            name=there.materials[thing], use_context=context(case=CASES[thing])
        ),
        "PresentationService.CreatePresentation": lambda thing: _presentation(
            OWNERS[thing], there.licenses[thing].name
        ),
        "PresentationService.RedeemPresentation": lambda thing: presentations.RedeemPresentationRequest(
            code=there.presented[thing].code, use_context=context(case=CASES[thing]), request_id=request_id()
        ),
        "PresentationService.ListPresentations": lambda thing: presentations.ListPresentationsRequest(
            holder=OWNERS[thing]
        ),
        "UseService.ListLicenseUses": lambda thing: uses.ListLicenseUsesRequest(license=there.licenses[thing].name),
        "UseService.CountLicenseUses": lambda thing: uses.CountLicenseUsesRequest(license=there.licenses[thing].name),
    }
    return [_question(there, line, make) for line in written("license")]


def _question(there: Furnished, line: str, make: dict[str, Any]) -> Question:
    rpc, thing = line.split()
    shows = ""
    if rpc.endswith("ListLicenses"):
        shows = there.licenses[thing].name
    elif rpc.endswith("ListMaterials"):
        shows = there.materials[thing]
    elif rpc.endswith("ListPresentations"):
        shows = there.presented[thing].presentation.name
    elif rpc.endswith("ListLicenseUses"):
        shows = there.licenses[thing].name
    elif rpc.endswith("CountLicenseUses"):
        shows = "\x08"  # the tag of the first number: there were uses, by the questions before
    return Question(rpc, thing, lambda: make[rpc.removeprefix("license.v1.")](thing), shows)


def _update(name: str) -> types_pb.UpdateLicenseTypeRequest:
    changed = _draft()
    changed.name = name
    request = types_pb.UpdateLicenseTypeRequest(license_type=changed, etag=OLD, request_id=request_id())
    request.update_mask.paths.append("display_name")
    return request


def _presentation(holder: str, name: str) -> presentations.CreatePresentationRequest:
    shown = presentations.Presentation(
        holder=holder,
        licenses=[presentations.PresentedLicense(license=name)],
        verifier=OURS,
        item_code="item-1",
        use_context=context(),
    )
    return presentations.CreatePresentationRequest(presentation=shown, request_id=request_id(), validate_only=True)


async def test_each_caller_is_answered_about_a_real_thing_as_it_is_written_down(furnished: Furnished) -> None:
    asking = Asking(furnished.licensing.service, DEPARTMENT, OTHER_DEPARTMENT)
    assert await differences(asking, "license", _questions(furnished)) == []


def test_the_table_has_every_rpc() -> None:
    asked_about = {line.split()[0] for line in written("license")}
    assert asked_about | of_nobody("license") == rpcs_of("license")
    assert asked_about.isdisjoint(of_nobody("license"))
