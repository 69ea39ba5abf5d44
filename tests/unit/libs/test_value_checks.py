"""Whether values are what their fields declare, and whether declarations make sense."""

import time
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.values.checks import declared_faults, faults, field_faults, fits, is_filled, type_faults
from libs.values.kinds import Choice, Value, ValueField, ValueKind, ValueType
from libs.values.patterns import LONGEST_MATCHED, fault_of, matches
from tests.support.values import VALUES

TEXT = ValueType(ValueKind.TEXT, max_length=5)
PHONE = ValueType(ValueKind.TEXT, max_length=20, pattern="1[0-9]{10}")
KIN = ValueType(ValueKind.TEXT, max_length=9, choices=(Choice("child", "子女"), Choice("spouse", "配偶")))
COUNT = ValueType(ValueKind.INTEGER, minimum="0", maximum="20")
MONEY = ValueType(ValueKind.DECIMAL, scale=2, minimum="0.01", maximum="1000000", unit="CNY")
DAY = ValueType(ValueKind.DATE)
MEMBER = ValueType(
    ValueKind.RECORD,
    fields=(ValueField("name", "姓名", True, TEXT), ValueField("born", "出生日期", False, DAY)),
)
FAMILY = ValueType(ValueKind.LIST, items=MEMBER, min_items=1, max_items=2)

WRONG: list[tuple[Value, ValueType, str, str]] = [
    (1, TEXT, "f", "value.type"),
    ("1", COUNT, "f", "value.type"),
    (True, COUNT, "f", "value.type"),
    (1, MONEY, "f", "value.type"),
    (1.0, MONEY, "f", "value.type"),
    ("2026-01-02", DAY, "f", "value.type"),
    ("x" * 6, TEXT, "f", "value.max_length"),
    ("12345678901x", PHONE, "f", "value.pattern"),
    ("012345678901", PHONE, "f", "value.pattern"),
    ("cousin", KIN, "f", "value.choices"),
    ("子女", KIN, "f", "value.choices"),
    (-1, COUNT, "f", "value.minimum"),
    (21, COUNT, "f", "value.maximum"),
    (Decimal("1.009"), MONEY, "f", "value.scale"),
    (Decimal(0), MONEY, "f", "value.minimum"),
    (Decimal("1000000.01"), MONEY, "f", "value.maximum"),
    (b"12", ValueType(ValueKind.BYTES, max_length=1), "f", "value.max_length"),
    ((), FAMILY, "f.list_value.values", "value.min_items"),
    (({"name": "a"},) * 3, FAMILY, "f.list_value.values", "value.max_items"),
    (({"name": "a"}, "b"), FAMILY, "f.list_value.values[1]", "value.type"),
    (({},), FAMILY, 'f.list_value.values[0].record_value.fields["name"]', "value.required"),
    (({"name": "\u3164"},), FAMILY, 'f.list_value.values[0].record_value.fields["name"]', "value.required"),
    (({"name": "a", "x": 1},), FAMILY, 'f.list_value.values[0].record_value.fields["x"]', "value.known"),
    (({"name": "a", "born": "x"},), FAMILY, 'f.list_value.values[0].record_value.fields["born"]', "value.type"),
    (({"name": "abcdef"},), FAMILY, 'f.list_value.values[0].record_value.fields["name"]', "value.max_length"),
]
RIGHT: list[tuple[Value, ValueType]] = [
    ("abcde", TEXT),
    ("13800000000", PHONE),
    ("child", KIN),
    (0, COUNT),
    (20, COUNT),
    (Decimal("0.01"), MONEY),
    (Decimal("1.100000"), MONEY),
    (Decimal(1_000_000), MONEY),
    (date(2026, 1, 2), DAY),
    (({"name": "a", "born": date(2020, 1, 1)}, {"name": "b"}), FAMILY),
]


@pytest.mark.parametrize(("value", "declared", "field", "rule"), WRONG)
def test_a_value_that_is_not_what_its_field_declares_is_named(
    value: Value, declared: ValueType, field: str, rule: str
) -> None:
    found = list(faults(value, declared, "f"))
    assert [(each.field, each.rule) for each in found] == [(field, rule)]


@pytest.mark.parametrize(("value", "declared"), RIGHT)
def test_a_value_that_is_what_its_field_declares_passes(value: Value, declared: ValueType) -> None:
    assert list(faults(value, declared, "f")) == []


@given(VALUES)
def test_no_fault_says_what_the_value_is(value: Value) -> None:
    for declared in (TEXT, COUNT, MONEY, FAMILY):
        for each in faults(value, declared, "f"):
            told = f"{each.description}"
            assert not (isinstance(value, str) and len(value) > 5 and value in told)


FORM = (ValueField("a", "甲", True, TEXT), ValueField("b", "乙", False, COUNT), ValueField("c", "丙", False, KIN))


def found(values: dict[str, Value], *, complete: bool = True) -> list[tuple[str, str]]:
    return [(each.field, each.rule) for each in field_faults(FORM, values, "v", complete=complete)]


def test_fields_that_are_missing_or_unknown_are_named() -> None:
    assert found({"a": "x", "b": 3, "c": "child"}) == []
    assert found({"b": 3}) == [('v["a"]', "value.required")]
    assert found({"b": 3}, complete=False) == []
    assert found({"a": "x", "z": 1}) == [('v["z"]', "value.known")]
    # What is blank is not filled in; of another kind it can't be, blank or not.
    assert found({"a": " \u3164", "c": ""}) == [('v["a"]', "value.required")]
    assert found({"a": None, "b": None}, complete=False) == []
    assert found({"a": "x", "b": ""}) == [('v["b"]', "value.type")]
    assert found({"a": (), "b": {}}, complete=False) == [('v["a"]', "value.type"), ('v["b"]', "value.type")]


@pytest.mark.parametrize(("value", "filled"), [(None, False), ("", False), ("\u3000", False), ((), False), ({}, False)])
def test_nothing_is_not_filled_in(value: Value, filled: bool) -> None:
    assert is_filled(value) is filled


@pytest.mark.parametrize("value", ["x", 0, False, Decimal(0), date(2026, 1, 2), ("",), {"a": None}, b"0"])
def test_zero_and_no_are_filled_in(value: Value) -> None:
    assert is_filled(value)


# ---- declarations ----


def _deep(depth: int) -> ValueType:
    declared = TEXT
    for _ in range(depth - 1):
        declared = ValueType(ValueKind.RECORD, fields=(ValueField("a", "甲", False, declared),))
    return declared


DECLARED: list[tuple[ValueType, str, str]] = [
    (replace(TEXT, pattern="("), "t.text_type.pattern", "type.pattern"),
    (replace(TEXT, pattern="(a+)+"), "t.text_type.pattern", "type.pattern"),
    (replace(TEXT, pattern="a", max_length=201), "t.text_type.max_length", "type.max_length"),
    (replace(TEXT, choices=(Choice("a", "甲"), Choice("a", "乙"))), "t.text_type.choices[1].value", "type.unique"),
    (replace(TEXT, choices=(Choice("abcdef", "甲"),)), "t.text_type.choices[0].value", "type.choice"),
    (replace(TEXT, choices=(Choice(" ", "甲"),)), "t.text_type.choices[0].value", "type.choice"),
    (replace(TEXT, pattern="[0-9]", choices=(Choice("a", "甲"),)), "t.text_type.choices[0].value", "type.choice"),
    (replace(COUNT, minimum="5", maximum="4"), "t.integer_type.maximum", "type.range"),
    (replace(MONEY, minimum="5", maximum="4"), "t.decimal_type.maximum", "type.range"),
    (replace(MONEY, maximum="5.001"), "t.decimal_type.maximum", "type.scale"),
    (replace(FAMILY, min_items=3), "t.list_type.max_items", "type.range"),
    (replace(FAMILY, items=FAMILY), "t.list_type.items", "type.items"),
    (replace(MEMBER, fields=MEMBER.fields * 2), "t.record_type.fields[2].key", "type.unique"),
    (
        replace(FAMILY, items=replace(MEMBER, fields=(ValueField("a", "甲", True, replace(TEXT, pattern="*")),))),
        "t.list_type.items.record_type.fields[0].type.text_type.pattern",
        "type.pattern",
    ),
    (_deep(5), "t" + ".record_type.fields[0].type" * 4, "type.depth"),
]


@pytest.mark.parametrize(("declared", "field", "rule"), DECLARED)
def test_a_declaration_that_makes_no_sense_is_named(declared: ValueType, field: str, rule: str) -> None:
    assert (field, rule) in [(each.field, each.rule) for each in type_faults(declared, "t")]


@pytest.mark.parametrize("declared", [TEXT, PHONE, KIN, COUNT, MONEY, DAY, MEMBER, FAMILY, _deep(4)])
def test_a_declaration_that_makes_sense_passes(declared: ValueType) -> None:
    assert list(type_faults(declared, "t")) == []


def test_a_declaration_is_bounded_altogether() -> None:
    wide = ValueType(ValueKind.RECORD, fields=tuple(ValueField(f"f{n}", "甲", False, TEXT) for n in range(100)))
    twice = ValueType(ValueKind.RECORD, fields=(ValueField("a", "甲", False, wide), ValueField("b", "乙", False, wide)))
    assert [each.rule for each in type_faults(twice, "t")] == ["type.fields"]


def test_a_key_stands_once_in_a_form() -> None:
    (only,) = declared_faults((*FORM, FORM[0]), "form_fields")
    assert (only.field, only.rule) == ("form_fields[3].key", "type.unique")


# ---- patterns ----

TAKEN = [
    "",
    "[0-9]{6}",
    "1[0-9]{10}",
    "[A-Z]+",
    "a|b",
    "(ab){2}",
    "[^a-z]{1,5}",
    r"\d{4}-\d{2}",
    "皖.{1,5}",
    "^a$",
    "a?b*c+",
]
REFUSED = [
    "(a+)+",
    "(a*)*b",
    "(a|a)*",
    "(a|aa){20}",
    "(a?){50}",
    "((a{2}){3}){4}",
    "a*a*a*a*b",
    r"(a)\1",
    "(?=a)",
    "(?<!a)b",
    "(?i:a)",
    "(?i)a|(?i)b",
    "(?P<x>a)(?P=x)",
    "(",
    "[z-a]",
    "[[a]",
    "[a&&b]",
    "a{99999999999}",
    "(?(1)a|b)",
    "(?>a+)b",
    "a++b",
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_plain_patterns_are_taken(pattern: str) -> None:
    assert fault_of(pattern) == ""


@pytest.mark.parametrize("pattern", REFUSED)
def test_patterns_that_can_take_long_or_are_none_are_refused(pattern: str) -> None:
    assert fault_of(pattern)


def test_all_of_a_text_must_match() -> None:
    assert matches("[0-9]{2}", "12")
    assert not matches("[0-9]{2}", "123")
    assert not matches("a|b", "ab")
    assert not matches("[0-9]{2}", "12\n")


@given(st.text(alphabet="ab.*+?{}()[]|^$\\12,-", max_size=20), st.sampled_from(["a", "ab", "b"]))
def test_no_pattern_that_is_taken_takes_long(pattern: str, letters: str) -> None:
    if fault_of(pattern):
        return
    text = (letters * LONGEST_MATCHED)[: LONGEST_MATCHED - 1] + "!"
    began = time.process_time()
    matches(pattern, text)
    assert time.process_time() - began < 1


# ---- one field fills another ----

FITTING: list[tuple[ValueType, ValueType, bool]] = [
    (replace(TEXT, max_length=500), TEXT, True),
    (TEXT, COUNT, False),
    (replace(MONEY, scale=1), MONEY, True),
    (replace(MONEY, scale=3), MONEY, False),
    (replace(MONEY, unit=""), MONEY, False),
    (KIN, KIN, True),
    (TEXT, KIN, False),
    (replace(KIN, choices=(*KIN.choices, Choice("other", "其他"))), KIN, False),
    (replace(KIN, choices=KIN.choices[:1]), KIN, True),
    (KIN, TEXT, True),
    (FAMILY, FAMILY, True),
    (replace(FAMILY, items=replace(MEMBER, fields=MEMBER.fields[:1])), FAMILY, True),
    (replace(FAMILY, items=replace(MEMBER, fields=MEMBER.fields[1:])), FAMILY, False),
    (FAMILY, replace(FAMILY, items=replace(MEMBER, fields=MEMBER.fields[:1])), False),
    (MEMBER, replace(MEMBER, fields=(MEMBER.fields[0], replace(MEMBER.fields[1], type=TEXT))), False),
    (MEMBER, replace(MEMBER, fields=(MEMBER.fields[0], replace(MEMBER.fields[1], required=True))), False),
]


@pytest.mark.parametrize(("given_type", "wanted", "fitting"), FITTING)
def test_a_field_fills_another_of_its_kind(given_type: ValueType, wanted: ValueType, fitting: bool) -> None:
    assert fits(given_type, wanted) is fitting
