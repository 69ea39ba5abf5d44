"""The face of a licence has fields of declared types: checked when it is issued, kept exactly, and printed as people read it."""

from datetime import date
from decimal import Decimal

import pytest

from libs.documents.ofd import OFD_NAMESPACE, open_ofd
from libs.errors import InvalidArgument, TongbanError
from libs.values.kinds import Choice, Value, ValueField, ValueKind, ValueType
from libs.values.messages import type_message, values_of
from tests.service.license.conftest import License
from tests.support.values import TEXT, messages
from tongban.common.v1 import value_pb2
from tongban.license.v1 import license_type_service_pb2 as types_pb
from tongban.license.v1 import resources_pb2 as resources

KIN = ValueType(ValueKind.TEXT, max_length=20, choices=(Choice("child", "子女"), Choice("spouse", "配偶")))
MEMBER = ValueType(
    ValueKind.RECORD,
    fields=(
        ValueField("name", "姓名", True, TEXT),
        ValueField("kin", "关系", True, KIN),
        ValueField("born", "出生日期", False, ValueType(ValueKind.DATE)),
    ),
)
TYPES: dict[str, ValueType] = {
    "KZ_HZ": TEXT,
    "KZ_BZJE": ValueType(ValueKind.DECIMAL, scale=2, minimum="0", maximum="100000", unit="CNY"),
    "KZ_RS": ValueType(ValueKind.INTEGER, minimum="1", unit="人"),
    "KZ_CLRQ": ValueType(ValueKind.DATE),
    "KZ_DBH": ValueType(ValueKind.BOOL),
    "KZ_JTCY": ValueType(ValueKind.LIST, items=MEMBER, min_items=1, max_items=3),
}
FACE: dict[str, Value] = {
    "KZ_HZ": "测试甲",
    "KZ_BZJE": Decimal("1680.50"),
    "KZ_RS": 2,
    "KZ_CLRQ": date(2019, 3, 4),
    "KZ_DBH": True,
    "KZ_JTCY": (
        {"name": "测试乙", "kin": "spouse", "born": date(1990, 12, 31)},
        {"name": "测试丙", "kin": "child"},
    ),
}


def _fields(**types: ValueType) -> list[resources.FaceField]:
    return [
        resources.FaceField(key=key, label=f"项{key[3:]}", required=key == "KZ_HZ", type=type_message(each))
        for key, each in types.items()
    ]


async def _issued(licensing: License, face: dict[str, Value]) -> resources.License:
    kind = await licensing.license_type(face_fields=_fields(**TYPES))
    return await licensing.issue(licensing.order(kind.name, face_fields=messages(**face), case=""))


async def test_a_face_is_kept_exactly_and_printed_as_people_read_it(licensing: License) -> None:
    made = await _issued(licensing, FACE)
    assert values_of(made.face_fields) == FACE
    assert made.face_fields["KZ_BZJE"].decimal_value == "1680.50"
    package = open_ofd(await licensing.service.process.documents.get(made.ofd.digest))
    texts = [
        code.text or ""
        for path in package.pages().values()
        for code in package.xml(path).iter(f"{{{OFD_NAMESPACE}}}TextCode")
    ]
    for expected in (
        "1,680.50元",
        "2人",
        "2019年3月4日",
        "是",
        "1. 姓名：测试乙；关系：配偶；出生日期：1990年12月31日",
        "2. 姓名：测试丙；关系：子女",
    ):
        assert expected in "".join(texts), texts
    data = package.custom_data()
    assert (data["KZ_BZJE"], data["KZ_RS"], data["KZ_CLRQ"], data["KZ_DBH"]) == ("1680.5", "2", "20190304", "true")
    assert data["KZ_JTCY"] == ('[{"born":"1990-12-31","kin":"spouse","name":"测试乙"},{"kin":"child","name":"测试丙"}]')


async def test_the_type_says_what_its_faces_are_of(licensing: License) -> None:
    kind = await licensing.license_type(face_fields=_fields(**TYPES))
    found = await licensing.call(
        licensing.types.GetLicenseType,
        types_pb.GetLicenseTypeRequest(name=kind.name),
        resources.LicenseType,
        licensing.staff(),
    )
    assert list(found.face_fields) == _fields(**TYPES)


WRONG: list[tuple[str, Value, str, str]] = [
    ("KZ_BZJE", "1680.50", "", "value.type"),
    ("KZ_BZJE", 1680, "", "value.type"),
    ("KZ_BZJE", Decimal("1680.505"), "", "value.scale"),
    ("KZ_BZJE", Decimal("-0.01"), "", "value.minimum"),
    ("KZ_BZJE", Decimal("100000.01"), "", "value.maximum"),
    ("KZ_CLRQ", "2019-03-04", "", "value.type"),
    ("KZ_DBH", "是", "", "value.type"),
    (
        "KZ_JTCY",
        ({"name": "甲", "kin": "cousin"},),
        '.list_value.values[0].record_value.fields["kin"]',
        "value.choices",
    ),
    ("KZ_JTCY", ({"kin": "child"},), '.list_value.values[0].record_value.fields["name"]', "value.required"),
    ("KZ_JTCY", ({"name": "甲", "kin": "child"},) * 4, ".list_value.values", "value.max_items"),
    ("KZ_HZ", ("甲",), "", "value.type"),
    ("KZ_ZZ", "x", "", "value.known"),
]


@pytest.mark.parametrize(("key", "value", "inside", "rule"), WRONG)
async def test_a_face_of_another_kind_is_not_issued(
    licensing: License, key: str, value: Value, inside: str, rule: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await _issued(licensing, {**FACE, key: value})
    assert [(each.field, each.rule) for each in refused.value.violations] == [(f'face_fields["{key}"]{inside}', rule)]


HURT: list[value_pb2.Value] = [
    value_pb2.Value(decimal_value="NaN"),
    value_pb2.Value(decimal_value="1e400000"),
    value_pb2.Value(double_value=float("inf")),
    value_pb2.Value(),
]


@pytest.mark.parametrize("value", HURT)
async def test_what_is_no_value_does_not_come_in(licensing: License, value: value_pb2.Value) -> None:
    kind = await licensing.license_type(face_fields=_fields(**TYPES))
    order = licensing.order(kind.name, face_fields=messages(**FACE), case="")
    order.face_fields["KZ_BZJE"].CopyFrom(value)
    with pytest.raises(InvalidArgument) as refused:
        await licensing.issue(order)
    assert all(each.field.startswith('face_fields["KZ_BZJE"]') for each in refused.value.violations)


DECLARED: list[tuple[ValueType, str, str]] = [
    (ValueType(ValueKind.BYTES, max_length=9), "license_type.face_fields[0].type", "face_fields.shown"),
    (ValueType(ValueKind.DOCUMENT), "license_type.face_fields[0].type", "face_fields.shown"),
    (
        ValueType(ValueKind.LIST, items=ValueType(ValueKind.DOCUMENT), max_items=1),
        "license_type.face_fields[0].type.list_type.items",
        "face_fields.shown",
    ),
    (
        ValueType(ValueKind.TEXT, max_length=2001),
        "license_type.face_fields[0].type.text_type.max_length",
        "face_fields.max_length",
    ),
    (
        ValueType(ValueKind.TEXT, max_length=20, pattern="(a+)+"),
        "license_type.face_fields[0].type.text_type.pattern",
        "type.pattern",
    ),
]


@pytest.mark.parametrize(("declared", "field", "rule"), DECLARED)
async def test_a_type_declares_what_a_page_can_show(
    licensing: License, declared: ValueType, field: str, rule: str
) -> None:
    with pytest.raises(TongbanError) as refused:
        await licensing.license_type(face_fields=_fields(KZ_HZ=declared))
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, rule)]
