"""Values of all kinds: between messages and Python, the same or not, their bytes, and what people read."""

import hashlib
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import protovalidate
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import given

from libs.errors import InvalidArgument
from libs.rpc.messages import wire_bytes
from libs.rpc.stages.validation import check
from libs.values.canonical import canonical, canonical_fields, decimal_text, same
from libs.values.checks import faults
from libs.values.kinds import Choice, Document, Value, ValueField, ValueKind, ValueType
from libs.values.limits import MOST_DEEP, MOST_VALUES, limit_faults
from libs.values.messages import (
    documents_of,
    type_message,
    type_of,
    value_message,
    value_messages,
    value_of,
    values_of,
    with_documents,
)
from libs.values.text import plain, shown
from tests.support.values import DECIMALS, TYPES, VALUES
from tongban.common.v1 import common_pb2
from tongban.common.v1 import value_pb2 as pb
from tongban.license.v1 import license_service_pb2

NAME = "materials/01890000-0000-7000-8000-000000000001"


@given(VALUES)
def test_a_value_is_the_same_after_the_wire_and_after_json(value: Value) -> None:
    message = value_message(value)
    assert same(value_of(pb.Value.FromString(wire_bytes(message))), value)
    assert same(value_of(json_format.Parse(json_format.MessageToJson(message), pb.Value())), value)


@given(VALUES)
def test_what_is_written_keeps_the_rules_of_the_contract(value: Value) -> None:
    message = value_message(value)
    assert protovalidate.collect_violations(message) == []
    assert limit_faults(message, "v") == () or _depth(value) > MOST_DEEP


def _depth(value: Value) -> int:
    inner = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else ()
    return 1 + max(map(_depth, inner), default=0)


@given(VALUES, VALUES)
def test_bytes_are_equal_exactly_where_values_are_the_same(one: Value, other: Value) -> None:
    assert (canonical(one) == canonical(other)) is same(one, other)
    assert same(one, one)


@given(DECIMALS)
def test_decimals_are_written_exactly_and_without_exponent(number: Decimal) -> None:
    text = decimal_text(number)
    assert Decimal(text) == number
    assert "E" not in text.upper()
    assert value_of(value_message(number)) == number


SAME: list[tuple[Value, Value]] = [
    (Decimal("1.0"), Decimal("1.00")),
    (Decimal("-0"), Decimal(0)),
    (Decimal("1E+3"), Decimal("1000.00")),
    (-0.0, 0.0),
    ({"a": 1, "b": "x"}, {"b": "x", "a": 1}),
    (datetime(2026, 1, 2, tzinfo=UTC), datetime.fromisoformat("2026-01-02T08:00:00+08:00")),
    ((Decimal("1.10"),), (Decimal("1.1"),)),
]
OTHER: list[tuple[Value, Value]] = [
    ("1", 1),
    (1, Decimal(1)),
    (1, True),
    (1.0, Decimal(1)),
    (1, 1.0),
    ("", None),
    ((), None),
    ((), {}),
    (("a", "b"), ("b", "a")),
    ("é", "e\u0301"),
    (date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),
    (date(2026, 1, 2), "2026-01-02"),
    (b"a", "YQ=="),
    (Document(NAME), NAME),
    (9_007_199_254_740_993, 9_007_199_254_740_992),
    (Decimal("0.1"), Decimal("0.10000000000000000001")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_is_what_means_the_same(one: Value, other: Value) -> None:
    assert same(one, other)
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_the_kind_and_every_digit_count(one: Value, other: Value) -> None:
    assert not same(one, other)
    assert canonical(one) != canonical(other)


def test_the_bytes_of_version_1_never_change() -> None:
    # Written out by hand after docs/values.md: whoever changes it makes a version 2.
    fields: dict[str, Value] = {
        "b": Decimal("12.50"),
        "a": ("甲", 5, True, None),
        "c": {"d": date(2026, 1, 2), "t": datetime(2026, 1, 2, 3, 4, 5, 120_000, UTC), "x": b"\x00\xff"},
        "m": Document(NAME),
        "f": 0.1,
    }
    expected = (
        '{"v":1,"fields":{'
        '"a":["list",[["text","甲"],["integer",5],["bool",true],["null"]]],'
        '"b":["decimal","12.5"],'
        '"c":["record",{"d":["date","2026-01-02"],"t":["time","2026-01-02T03:04:05.12Z"],"x":["bytes","AP8="]}],'
        '"f":["double","0.1"],'
        f'"m":["document","{NAME}"]'
        "}}"
    ).encode()
    assert canonical_fields(fields) == expected
    assert hashlib.new("sm3", canonical_fields(dict(reversed(fields.items())))).digest() == (
        hashlib.new("sm3", expected).digest()
    )


# ---- hurt ----


def _nested(depth: int) -> pb.Value:
    value = pb.Value(string_value="x")
    for _ in range(depth - 1):
        value = pb.Value(list_value=pb.ListValue(values=[value]))
    return value


def _request(value: pb.Value) -> license_service_pb2.CheckLicenseRequest:
    return license_service_pb2.CheckLicenseRequest(face_fields={"KEY": value})


def _broken(value: pb.Value) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as refused:
        check(_request(value))
    return [(each.field, each.rule) for each in refused.value.violations if each.field.startswith("face_fields")]


DEEPER = 'face_fields["KEY"]' + ".list_value.values[0]" * MOST_DEEP
MANY = pb.Value(
    list_value=pb.ListValue(
        values=[pb.Value(list_value=pb.ListValue(values=[pb.Value(int_value=1)] * 499)) for _ in range(5)]
    )
)
HURT: list[tuple[pb.Value, str, str]] = [
    (_nested(MOST_DEEP + 1), DEEPER, "value.depth"),
    (_nested(40), DEEPER, "value.depth"),
    (MANY, 'face_fields["KEY"].list_value.values[3].list_value.values[498]', "value.count"),
    (pb.Value(), 'face_fields["KEY"].kind', "required"),
    (pb.Value(decimal_value="9" * 31), 'face_fields["KEY"].decimal_value', "string.pattern"),
    (pb.Value(decimal_value="0." + "9" * 21), 'face_fields["KEY"].decimal_value', "string.pattern"),
    *(
        (pb.Value(decimal_value=text), 'face_fields["KEY"].decimal_value', "string.pattern")
        for text in (
            "NaN",
            "Infinity",
            "1e5",
            "1E+400000000",
            "",
            "+1",
            "01",
            "1.",
            ".5",
            "١",
            "１",
            "0x1",
            "1_0",
            " 1",
            "1\n",
        )
    ),
    (pb.Value(double_value=float("nan")), 'face_fields["KEY"].double_value', "value.finite"),
    (pb.Value(double_value=float("-inf")), 'face_fields["KEY"].double_value', "value.finite"),
    (
        pb.Value(date_value=common_pb2.Date(year=0, month=1, day=1)),
        'face_fields["KEY"].date_value.year',
        "int32.gte_lte",
    ),
    (
        pb.Value(date_value=common_pb2.Date(year=2026, month=2, day=29)),
        'face_fields["KEY"].date_value',
        "date.calendar",
    ),
    (pb.Value(date_value=common_pb2.Date(year=2**31 - 1)), 'face_fields["KEY"].date_value.year', "int32.gte_lte"),
    (
        pb.Value(date_value=common_pb2.Date(year=1799, month=1, day=1)),
        'face_fields["KEY"].date_value.year',
        "int32.gte_lte",
    ),
    (pb.Value(null_value=False), 'face_fields["KEY"].null_value', "bool.const"),
    (pb.Value(string_value="a\0b"), 'face_fields["KEY"].string_value', "string.nul"),
    (pb.Value(string_value="x" * 10_001), 'face_fields["KEY"].string_value', "string.max_len"),
    (pb.Value(bytes_value=bytes(65_537)), 'face_fields["KEY"].bytes_value', "bytes.max_len"),
    (pb.Value(document_value="materials/../x"), 'face_fields["KEY"].document_value', "string.pattern"),
]


@pytest.mark.parametrize(("value", "field", "rule"), HURT)
def test_what_is_no_value_is_refused_by_path_and_rule(value: pb.Value, field: str, rule: str) -> None:
    assert (field, rule) in _broken(value)


def test_a_moment_is_told_to_the_microsecond_and_within_the_calendar() -> None:
    for seconds, nanos, rule in (
        (0, 1, "value.microseconds"),
        (10**12, 0, "timestamp.range"),
        (0, -1_000, "timestamp.range"),
    ):
        value = pb.Value()
        value.time_value.seconds, value.time_value.nanos = seconds, nanos
        assert ('face_fields["KEY"].time_value', rule) in _broken(value)


def test_each_part_that_is_none_is_named_where_it_stands() -> None:
    row = pb.Value(record_value=pb.RecordValue(fields={"b": pb.Value(double_value=float("nan")), "a": pb.Value()}))
    day = pb.Value(date_value=common_pb2.Date(year=2026, month=2, day=29))
    value = pb.Value(list_value=pb.ListValue(values=[pb.Value(int_value=1), row, day]))
    assert [(each.field, each.rule) for each in limit_faults(value, 'f["x"]')] == [
        ('f["x"].list_value.values[1].record_value.fields["b"].double_value', "value.finite"),
        ('f["x"].list_value.values[2].date_value', "date.calendar"),
    ]


def test_a_bomb_of_depth_ends_where_it_is_parsed() -> None:
    # Each level is field 10 (list_value) of field 1 (values): the bytes are made by hand, since no library makes them.
    data = b""
    for _ in range(20_000):
        inner = b"\x0a" + _varint(len(data)) + data
        data = b"\x52" + _varint(len(inner)) + inner
    with pytest.raises(DecodeError):
        pb.Value.FromString(data)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(DecodeError):
        pb.Value.FromString(b"\x0a\x03\xed\xa0\x80")
    with pytest.raises((json_format.ParseError, UnicodeEncodeError, ValueError)):
        json_format.Parse('{"stringValue": "\\ud800"}', pb.Value()).SerializeToString()


def test_so_many_values_are_taken_and_no_more() -> None:
    row = pb.Value(list_value=pb.ListValue(values=[pb.Value(bool_value=True)] * 398))
    most = pb.Value(list_value=pb.ListValue(values=[row] * 5))
    assert MOST_VALUES >= 1 + 5 * 399
    assert limit_faults(most, "v") == ()
    most.list_value.values[0].list_value.values.extend([pb.Value(bool_value=True)] * 100)
    assert [each.rule for each in limit_faults(most, "v")] == ["value.count"]


# ---- types ----


@given(TYPES)
def test_a_type_is_the_same_after_message_and_json(declared: ValueType) -> None:
    assert type_of(pb.ValueType.FromString(wire_bytes(type_message(declared)))) == declared
    assert ValueType.of_json(json.loads(json.dumps(declared.to_json()))) == declared


@given(TYPES)
def test_what_is_declared_keeps_the_rules_of_the_contract(declared: ValueType) -> None:
    assert protovalidate.collect_violations(type_message(declared)) == []


# ---- what people read ----

_ROW = ValueType(
    ValueKind.RECORD,
    fields=(
        ValueField("name", "姓名", True, ValueType(ValueKind.TEXT, max_length=50)),
        ValueField("born", "出生日期", False, ValueType(ValueKind.DATE)),
        ValueField("kin", "关系", False, ValueType(ValueKind.TEXT, max_length=9, choices=(Choice("1", "子女"),))),
    ),
)
_CNY = ValueType(ValueKind.DECIMAL, scale=2, unit="CNY")
READ: list[tuple[Value, ValueType | None, str, str]] = [
    (date(2026, 1, 2), None, "2026年1月2日", "2 January 2026"),
    (datetime(2026, 1, 1, 23, 4, tzinfo=UTC), None, "2026年1月2日 07:04", "2 January 2026, 07:04 (UTC+8)"),
    (datetime(2026, 1, 1, 23, 4, 5, tzinfo=UTC), None, "2026年1月2日 07:04:05", "2 January 2026, 07:04:05 (UTC+8)"),
    (True, None, "是", "Yes"),
    (False, None, "否", "No"),
    (Decimal("1234567.5"), _CNY, "1,234,567.50元", "CNY 1,234,567.50"),
    (Decimal("-0.5"), _CNY, "-0.50元", "CNY -0.50"),
    (Decimal(0), _CNY, "0.00元", "CNY 0.00"),
    (Decimal("89.90"), ValueType(ValueKind.DECIMAL, scale=1, unit="平方米"), "89.9平方米", "89.9 平方米"),
    (Decimal("1.50"), None, "1.5", "1.5"),
    (3, ValueType(ValueKind.INTEGER, unit="人"), "3人", "3 人"),
    (2026, None, "2026", "2026"),
    ("1", _ROW.fields[2].type, "子女", "子女"),
    ("x", None, "x", "x"),
    (None, None, "", ""),
    (("a", "b"), ValueType(ValueKind.LIST, items=ValueType(ValueKind.TEXT)), "a、b", "a, b"),
    ((True, False), ValueType(ValueKind.LIST, items=ValueType(ValueKind.BOOL)), "是、否", "Yes, No"),
    (
        ({"name": "张三", "born": date(2020, 5, 6), "kin": "1"}, {"name": "李四"}),
        ValueType(ValueKind.LIST, items=_ROW),
        "1. 姓名：张三；出生日期：2020年5月6日；关系：子女\n2. 姓名：李四",
        "1. 姓名: 张三; 出生日期: 6 May 2020; 关系: 子女\n2. 姓名: 李四",
    ),
    ({"b": 1, "a": "x"}, None, "a：x；b：1", "a: x; b: 1"),
    (b"abc", None, "（3 字节）", "(3 bytes)"),
    (Document(NAME), None, "（附件）", "(attached)"),
    (0.1, None, "0.1", "0.1"),
]


@pytest.mark.parametrize(("value", "declared", "chinese", "english"), READ)
def test_people_read_values_in_their_language(
    value: Value, declared: ValueType | None, chinese: str, english: str
) -> None:
    assert shown(value, declared) == chinese
    assert shown(value, declared, "en") == english


PLAIN: list[tuple[Value, str]] = [
    ("张三", "张三"),
    (date(2026, 1, 2), "2026-01-02"),
    (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00Z"),
    (Decimal("12.50"), "12.5"),
    (True, "true"),
    (5, "5"),
    (("a", Decimal("0.10")), '["a","0.1"]'),
    ({"b": date(2026, 1, 2), "a": None}, '{"a":null,"b":"2026-01-02"}'),
    (b"a", "YQ=="),
    (Document(NAME), NAME),
]


@pytest.mark.parametrize(("value", "text"), PLAIN)
def test_machines_read_one_text(value: Value, text: str) -> None:
    assert plain(value) == text


@given(VALUES)
def test_every_value_can_be_read(value: Value) -> None:
    for language in ("zh", "en"):
        assert isinstance(shown(value, None, language), str)
    assert isinstance(plain(value), str)


def test_values_by_key_are_read_together() -> None:
    found = values_of({"b": pb.Value(int_value=1), "a": pb.Value(null_value=True)})
    assert found == {"a": None, "b": 1}
    with pytest.raises(InvalidArgument) as refused:
        values_of({"b": pb.Value(date_value=common_pb2.Date(year=2026, month=2, day=30))}, "face_fields")
    assert [each.field for each in refused.value.violations] == ['face_fields["b"]']


def test_documents_are_found_and_named_anew_wherever_they_stand() -> None:
    other = NAME.replace("0001", "0002")
    given = value_messages(
        {"b": ({"file": Document(NAME), "text": NAME},), "a": Document(other), "c": (Decimal("1.50"), None)}
    )
    assert documents_of(given) == [other, NAME]
    abroad = with_documents(given, lambda name: f"//341500/{name}")
    assert documents_of(abroad) == [f"//341500/{other}", f"//341500/{NAME}"]
    row = abroad["b"].list_value.values[0].record_value.fields
    assert row["text"].string_value == NAME
    assert abroad["c"] == given["c"]
    # What was given stays as it was.
    assert documents_of(given) == [other, NAME]


def test_a_type_that_says_nothing_takes_nothing() -> None:
    declared = type_of(pb.ValueType())
    assert [each.rule for each in faults("x", declared, "f")] == ["value.max_length"]
