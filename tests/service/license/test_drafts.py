"""Drafts of licence types: changed, thrown away, tried; and what the contract says of each."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from tests.service.license.conftest import TYPE_AUTHORITY, License, request_id
from tests.support import drafts
from tests.support.drafts import Drafts
from tests.support.values import text_type
from tongban.license.v1 import license_type_service_pb2 as pb
from tongban.license.v1 import resources_pb2 as resources

_SERIALS = itertools.count(100)


def _create() -> pb.CreateLicenseTypeRequest:
    kind = resources.LicenseType(
        code=f"{TYPE_AUTHORITY}{next(_SERIALS)}",
        display_name="草案",
        defining_authority="测试局",
        holder_category=resources.HOLDER_CATEGORY_ANY,
        page_layout=resources.PAGE_LAYOUT_A4_PORTRAIT,
        face_fields=[resources.FaceField(key="JYXM", label="经营项目", type=text_type(200))],
    )
    return pb.CreateLicenseTypeRequest(license_type=kind)


@pytest.fixture
def types(licensing: License) -> Drafts:
    """Licence types."""

    async def call(request: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        answer = Empty if name.startswith("Delete") else resources.LicenseType
        return await licensing.call(getattr(licensing.types, name), request, answer, licensing.staff())

    async def read(name: str) -> Any:
        return await call(pb.GetLicenseTypeRequest(name=name))

    async def publish(draft: Any) -> Any:
        return await call(pb.PublishLicenseTypeRequest(name=draft.name, etag=draft.etag, request_id=request_id()))

    return Drafts(
        process=licensing.service.process,
        call=call,
        create=_create,
        update=pb.UpdateLicenseTypeRequest,
        delete=pb.DeleteLicenseTypeRequest,
        read=read,
        publish=publish,
        change=("display_name", "新名称"),
        broken=("validity_months", 5000),
        output=("state", resources.LICENSE_TYPE_STATE_DEPRECATED),
    )


@pytest.mark.parametrize("rule", drafts.RULES)
async def test_licence_types_keep_the_rules_of_drafts(rule: Callable[[Drafts], Awaitable[None]], types: Drafts) -> None:
    await rule(types)


async def test_a_draft_is_held_to_the_rules_that_no_contract_states(types: Drafts) -> None:
    """The credit code, the keys of the face, the code that is another type's."""
    draft, other = await types.made(), await types.made()
    wrong = drafts.put(draft, "code", f"{TYPE_AUTHORITY[:-1]}X{other.code[18:]}")
    assert await drafts.rules_of(types.call(types.updating(wrong, "code"))) == [("license_type.code", "uscc.check")]
    twice = drafts.put(draft, "face_fields", [*draft.face_fields, *draft.face_fields])
    assert await drafts.rules_of(types.call(types.updating(twice, "face_fields"))) == [
        ("license_type.face_fields[1].key", "type.unique")
    ]
    taken = drafts.put(draft, "code", other.code)
    assert await drafts.refused(types.call(types.updating(taken, "code"))) == "RESOURCE_EXISTS"


async def test_the_code_of_a_draft_that_was_thrown_away_is_free(types: Drafts) -> None:
    draft = await types.made()
    await types.call(types.deleting(draft))
    request = pb.CreateLicenseTypeRequest(license_type=draft, request_id=request_id())
    again = await types.call(request)
    assert (again.code, again.name == draft.name) == (draft.code, False)


async def test_to_issue_can_be_tried_and_nothing_is_sealed(licensing: License) -> None:
    """Everything is checked and the page drawn; no licence, number or sealing comes of it, and the request_id stays free."""
    kind = await licensing.license_type()
    order = licensing.order(kind.name)
    before = await drafts.everything(licensing.service.process, but=drafts.LOG)
    order.validate_only = True
    tried = await licensing.issue(order)
    assert (tried.state, tried.holders[0].display_name) == (
        resources.LICENSE_STATE_DRAFT,
        order.holders[0].display_name,
    )
    assert await drafts.everything(licensing.service.process, but=drafts.LOG) == before
    assert licensing.known.seal_calls == 0
    order.validate_only = False
    issued = await licensing.issue(order)
    assert (issued.state, issued.name == tried.name) == (resources.LICENSE_STATE_ISSUED, False)
