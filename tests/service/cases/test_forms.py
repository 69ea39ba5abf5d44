"""A case's form is of typed values: held to what the item declares, put right and taken out, told to the licence, handed on."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from libs.errors import InvalidArgument, TongbanError
from libs.values.kinds import Document, Value, ValueField, ValueKind, ValueType
from libs.values.messages import type_message, value_messages, values_of
from tests.service.cases.conftest import LICENSE_TYPE, Town
from tests.service.cases.pairs import HOME, ITEM, Pair, pair
from tests.support.values import TEXT, messages
from tongban.cases.v1 import events_pb2 as events
from tongban.cases.v1 import item_service_pb2 as items
from tongban.cases.v1 import resources_pb2 as pb
from tongban.license.v1 import resources_pb2 as licenses

__all__ = ["pair"]
FILE = "materials/00000000-0000-7000-8000-00000000000a"
MEMBER = ValueType(
    ValueKind.RECORD,
    fields=(
        ValueField("name", "姓名", True, TEXT),
        ValueField("born", "出生日期", False, ValueType(ValueKind.DATE)),
        ValueField("proof", "证明", False, ValueType(ValueKind.DOCUMENT)),
    ),
)
INCOME = ValueType(ValueKind.DECIMAL, scale=2, minimum="0", unit="CNY")
TYPES: dict[str, ValueType] = {
    "family": ValueType(ValueKind.LIST, items=MEMBER, min_items=1, max_items=20),
    "income": INCOME,
    "since": ValueType(ValueKind.DATE),
    "disabled": ValueType(ValueKind.BOOL),
    "persons": ValueType(ValueKind.INTEGER, minimum="1", maximum="20"),
    "remark": TEXT,
}
FAMILY: Value = (
    {"name": "测试乙", "born": date(1990, 12, 31)},
    {"name": "测试丙", "proof": Document(FILE)},
)
FORM: dict[str, Value] = {
    "family": FAMILY,
    "income": Decimal("1680.50"),
    "since": date(2019, 3, 4),
    "disabled": False,
    "persons": 2,
}


def fields(**more: str) -> list[items.FormField]:
    """The form; ``more`` gives the fields of the licence that its fields fill."""
    return [
        items.FormField(
            key=key,
            display_name=key,
            required=key in ("family", "income"),
            type=type_message(each),
            license_field=more.get(key, ""),
        )
        for key, each in TYPES.items()
    ]


def broken(error: TongbanError) -> list[tuple[str, str]]:
    return [(each.field, each.rule) for each in error.violations]


async def test_a_form_is_kept_exactly_and_its_files_are_told(town: Town) -> None:
    item = await town.item(form_fields=fields())
    case = await town.step("Submit", await town.create(item, form_values=value_messages(FORM)))
    kept = await town.get(case.name)
    assert values_of(kept.form_values) == FORM
    assert kept.form_values["income"].decimal_value == "1680.50"
    (told,) = [
        events.CaseSubmitted.FromString(data) for kind, data in await town.events() if kind.endswith("submitted.v1")
    ]
    assert FILE in told.materials


WRONG: list[tuple[str, Value, str, str]] = [
    ("income", "1680.50", "", "value.type"),
    ("income", Decimal("0.001"), "", "value.scale"),
    ("income", Decimal(-1), "", "value.minimum"),
    ("since", "2019年3月4日", "", "value.type"),
    ("persons", 21, "", "value.maximum"),
    ("persons", Decimal(2), "", "value.type"),
    ("disabled", "否", "", "value.type"),
    ("family", ({"name": "甲"},) * 21, ".list_value.values", "value.max_items"),
    ("family", ({"born": date(2020, 1, 1)},), '.list_value.values[0].record_value.fields["name"]', "value.required"),
    ("family", ({"name": "甲", "x": 1},), '.list_value.values[0].record_value.fields["x"]', "value.known"),
    ("remark", "x" * 101, "", "value.max_length"),
    ("nonsense", "x", "", "value.known"),
]


@pytest.mark.parametrize(("key", "value", "inside", "rule"), WRONG)
async def test_what_the_item_does_not_declare_is_refused_by_path_and_rule(
    town: Town, key: str, value: Value, inside: str, rule: str
) -> None:
    item = await town.item(form_fields=fields())
    with pytest.raises(InvalidArgument) as refused:
        await town.create(item, form_values=value_messages({**FORM, key: value}))
    assert broken(refused.value) == [(f'case.form_values["{key}"]{inside}', rule)]
    # What is put right later is held to the same.
    case = await town.create(item, form_values=value_messages(FORM))
    with pytest.raises(InvalidArgument) as later:
        await town.step("Submit", case, form_values=value_messages({key: value}))
    assert broken(later.value) == [(f'form_values["{key}"]{inside}', rule)]


async def test_what_is_required_may_come_until_the_submission_and_not_go(town: Town) -> None:
    item = await town.item(form_fields=fields())
    case = await town.create(item, form_values=messages(remark="无", income=Decimal(1), family=()))
    with pytest.raises(TongbanError) as missing:
        await town.step("Submit", case)
    assert (missing.value.reason, missing.value.metadata["materials"]) == ("CASE_MATERIAL_MISSING", "family")
    with pytest.raises(TongbanError) as gone:
        await town.step("Submit", case, form_values=messages(family=FAMILY, income=None))
    assert gone.value.metadata["materials"] == "income"
    case = await town.step("Submit", case, form_values=messages(family=FAMILY, remark=None))
    assert values_of((await town.get(case.name)).form_values) == {"family": FAMILY, "income": Decimal(1)}


async def test_the_licence_gets_what_the_form_says_as_it_is(town: Town) -> None:
    town.known.license_type = licenses.LicenseType(
        state=licenses.LICENSE_TYPE_STATE_PUBLISHED,
        holder_category=licenses.HOLDER_CATEGORY_ANY,
        face_fields=[
            licenses.FaceField(key="KZ_SR", required=True, type=type_message(INCOME)),
            licenses.FaceField(key="KZ_JT", type=type_message(TYPES["family"])),
        ],
    )
    item = await town.item(license_type=LICENSE_TYPE, form_fields=fields(income="KZ_SR", family="KZ_JT"))
    case = await town.review(await town.create(item, form_values=value_messages(FORM)))
    assert values_of(town.known.licenses_checked[-1].face_fields) == {"KZ_SR": FORM["income"], "KZ_JT": FAMILY}
    assert case.state == pb.CASE_STATE_UNDER_REVIEW


async def test_an_item_whose_form_can_t_fill_the_licence_is_not_published(town: Town) -> None:
    wrong = {"income": TEXT, "family": ValueType(ValueKind.LIST, items=TEXT, max_items=9)}
    town.known.license_type = licenses.LicenseType(
        state=licenses.LICENSE_TYPE_STATE_PUBLISHED,
        holder_category=licenses.HOLDER_CATEGORY_ANY,
        face_fields=[
            licenses.FaceField(key="KZ_SR", required=True, type=type_message(wrong["income"])),
            licenses.FaceField(key="KZ_JT", type=type_message(wrong["family"])),
        ],
    )
    with pytest.raises(InvalidArgument) as refused:
        await town.item(license_type=LICENSE_TYPE, form_fields=fields(income="KZ_SR", family="KZ_JT"))
    places = [place for place, key in enumerate(TYPES) if key in wrong]
    assert [each.rule for each in refused.value.violations] == ["license_field.type"] * 2
    assert [each.field.rsplit("form_fields", 1)[1] for each in refused.value.violations] == [
        f"[{place}].license_field" for place in places
    ]


DECLARED: list[tuple[dict[str, Any], str]] = [
    ({"pattern": "(a|a)*b"}, "type.pattern"),
    ({"pattern": "["}, "type.pattern"),
    ({"max_length": 201, "pattern": "[0-9]"}, "type.max_length"),
]


@pytest.mark.parametrize(("more", "rule"), DECLARED)
async def test_an_item_declares_no_form_that_makes_no_sense(town: Town, more: dict[str, Any], rule: str) -> None:
    declared = ValueType(ValueKind.TEXT, **{"max_length": 100, **more})
    field = items.FormField(key="a", display_name="甲", type=type_message(declared))
    with pytest.raises(InvalidArgument) as refused:
        await town.item(form_fields=[field])
    assert [each.rule for each in refused.value.violations] == [rule]
    assert refused.value.violations[0].field.endswith(f"form_fields[0].type.text_type.{rule.removeprefix('type.')}")


async def test_a_form_goes_to_another_region_whole_with_its_files_named_as_that_reads_them(pair: Pair) -> None:
    await pair.handling.item(**ITEM, form_fields=fields())
    request = pair.request(form_values=value_messages(FORM))
    await pair.send(request)
    await pair.carry()
    there = values_of((await pair.handling.get(f"cases/{request.case_id}")).form_values)
    brought = {"name": "测试丙", "proof": Document(f"{HOME}{FILE}")}
    assert there == {**FORM, "family": ({"name": "测试乙", "born": date(1990, 12, 31)}, brought)}
