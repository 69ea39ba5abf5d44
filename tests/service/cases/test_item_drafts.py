"""Drafts of service items: changed, thrown away, tried; and what the contract says of each."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from google.protobuf.empty_pb2 import Empty

from libs.rpc.messages import working_days
from tests.service.cases.conftest import DEPARTMENT, OTHER_DEPARTMENT, TASK_CODE, Town, request_id
from tests.support import drafts
from tests.support.drafts import Drafts
from tongban.cases.v1 import item_service_pb2 as pb
from tongban.cases.v1 import resources_pb2 as resources
from tongban.common.v1 import party_pb2

_SERIALS = itertools.count(1000)


def _create() -> pb.CreateServiceItemRequest:
    content = pb.ItemContent(
        display_name="测试事项",
        basic_code="123456789012",
        task_code=f"{TASK_CODE[:-4]}{next(_SERIALS)}",
        category="市场准入",
        type=pb.ITEM_TYPE_LICENSE,
        exercise_level=pb.EXERCISE_LEVEL_COUNTY,
        department=DEPARTMENT,
        handling_kind=pb.HANDLING_KIND_PROMISED,
        statutory_limit=working_days(20),
        promised_limit=working_days(5),
        legal_basis="《行政许可法》",
        applicant_kinds=[party_pb2.PARTY_KIND_PERSON],
        channels=[resources.CHANNEL_WEB],
        delivery_methods=[resources.DELIVERY_METHOD_WINDOW],
    )
    return pb.CreateServiceItemRequest(service_item=pb.ServiceItem(content=content))


@pytest.fixture
def items(town: Town) -> Drafts:
    """Service items."""

    async def call(request: Any, token: str = "") -> Any:
        name = type(request).__name__.removesuffix("Request")
        answer = Empty if name.startswith("Delete") else pb.ServiceItem
        return await town.call(getattr(town.items, name), request, answer, token or town.system)

    async def read(name: str, token: str = "") -> Any:
        return await call(pb.GetServiceItemRequest(name=name), token)

    async def publish(draft: Any) -> Any:
        return await call(pb.PublishServiceItemRequest(name=draft.name, etag=draft.etag, request_id=request_id()))

    return Drafts(
        process=town.service.process,
        call=call,
        create=_create,
        update=pb.UpdateServiceItemRequest,
        delete=pb.DeleteServiceItemRequest,
        read=read,
        publish=publish,
        change=("content.display_name", "新事项"),
        broken=("content.legal_basis", ""),
        output=("version", 7),
        immutable=("content.task_code", f"{TASK_CODE[:-4]}0999"),
    )


@pytest.mark.parametrize("rule", drafts.RULES)
async def test_service_items_keep_the_rules_of_drafts(rule: Callable[[Drafts], Awaitable[None]], items: Drafts) -> None:
    await rule(items)


async def test_a_draft_is_held_to_the_rules_that_no_contract_states(items: Drafts) -> None:
    """Limits, codes of materials, keys of the form; by a trial as by a change."""
    draft = await items.made()
    material = pb.MaterialRule(code="M1", display_name="材料")
    field = pb.FormField(key="k", display_name="栏")
    for path, value, reason in (
        ("content.promised_limit", working_days(21), "ITEM_LIMIT_INVALID"),
        ("content.materials", [material, material], "CASE_MATERIAL_UNKNOWN"),
        ("content.form_fields", [field, field], "FIELD_INVALID"),
    ):
        wrong = drafts.put(draft, path, value)
        for more in ({}, {"validate_only": True}):
            assert await drafts.refused(items.call(items.updating(wrong, path, **more))) == reason
    assert await items.read(draft.name) == draft


async def test_what_holds_parts_that_stay_is_changed_as_a_whole_if_it_says_them_as_they_were(items: Drafts) -> None:
    draft = await items.made()
    changed = drafts.put(draft, "content.category", "不动产")
    draft = await items.call(items.updating(changed, "content"))
    assert draft.content == changed.content
    moved = drafts.put(draft, "content.department", OTHER_DEPARTMENT)
    assert await drafts.rules_of(items.call(items.updating(moved, "content"))) == [
        ("service_item.content.department", "update_mask.immutable")
    ]


async def test_a_draft_is_its_departments_alone(town: Town, items: Drafts) -> None:
    """Others neither read nor change it; anyone reads what was published."""
    draft = await items.made()
    assert await items.read(draft.name, town.clerk) == draft
    for token in (town.stranger_clerk, town.person):
        assert await drafts.refused(items.read(draft.name, token)) == "RESOURCE_NOT_FOUND"
    for request in (items.updating(draft, "content.display_name"), items.deleting(draft)):
        assert await drafts.refused(items.call(request, town.stranger_clerk)) == "NOT_OWNER"
    await items.publish(draft)
    assert (await items.read(draft.name, town.person)).name == draft.name


async def test_a_draft_that_was_thrown_away_makes_room_for_the_next(items: Drafts) -> None:
    """Before, a draft with a typing error stood in the way of its item for good."""
    first = await items.publish(await items.made())
    again = pb.CreateServiceItemRequest(service_item=first)
    second = await items.call(pb.CreateServiceItemRequest(service_item=first, request_id=request_id()))
    again.request_id = request_id()
    assert await drafts.refused(items.call(again)) == "ITEM_DRAFT_EXISTS"
    await items.call(items.deleting(second))
    third = await items.call(again)
    assert (third.version, third.name == second.name) == (2, False)
