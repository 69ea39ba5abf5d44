"""A filter is read as AIP-160 says, and whatever else is given is refused by rule and place."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libs.errors import InvalidArgument, Violation
from libs.lists.filter_text import MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, Comparison, Junction, Negation, parse


def equal(field: str, value: str, position: int, operator: str = "=") -> Comparison:
    return Comparison(field, operator, value, present=False, position=position)


@pytest.mark.parametrize("text", ["", "   ", "\t\r\n"])
def test_nothing_is_no_filter(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("operator", ["=", "!=", "<", "<=", ">", ">=", ":"])
def test_each_operator_is_read_with_and_without_spaces(operator: str) -> None:
    assert parse(f"state{operator}OPEN") == equal("state", "OPEN", 1, operator)
    assert parse(f" state {operator} OPEN ") == equal("state", "OPEN", 2, operator)


def test_a_value_may_hold_what_names_and_times_hold() -> None:
    assert parse("item=//wanzhi/serviceItems/1-2") == equal("item", "//wanzhi/serviceItems/1-2", 1)
    assert parse("time>2024-05-01T00:00:00+08:00") == equal("time", "2024-05-01T00:00:00+08:00", 1, ">")


def test_quotes_keep_spaces_parentheses_and_each_other() -> None:
    assert parse('name = "a (b) AND \'c\' \\"d\\" \\\\"') == equal("name", "a (b) AND 'c' \"d\" \\", 1)
    assert parse("name = 'it\\'s \"so\"'") == equal("name", 'it\'s "so"', 1)


def test_connectives_join_and_parentheses_group() -> None:
    either = Junction((equal("a", "1", 2), equal("b", "2", 11)), either=True)
    assert parse("(a = 1 OR b = 2) AND NOT c = 3") == Junction((either, Negation(equal("c", "3", 26))), either=False)
    assert parse("-(a = 1)") == Negation(equal("a", "1", 3))


def test_a_star_asks_whether_anything_is_there_and_quoted_it_is_a_star() -> None:
    assert parse("a:*") == Comparison("a", ":", "*", present=True, position=1)
    assert parse('a:"*"') == Comparison("a", ":", "*", present=False, position=1)


@pytest.mark.parametrize(
    ("text", "rule", "position"),
    [
        ("a", "syntax", 2),
        ("a =", "syntax", 4),
        ("a = 1 AND", "syntax", 10),
        ("(a = 1", "syntax", 7),
        ("a = 1)", "syntax", 6),
        ("a = 1 b = 2", "syntax", 7),
        ("NOTa = 1", "syntax", 1),
        ("a = 1 ANDb = 2", "syntax", 7),
        ("A = 1", "syntax", 1),
        ("a == 1", "syntax", 4),
        ('a = "x', "syntax", 5),
        ('a = "\0"', "syntax", 5),
        ("a = 1; DROP TABLE cases", "syntax", 8),
        ("a = 1 AND b = 2 OR c = 3", "parentheses", 17),
        ("a = 1 OR b = 2 AND c = 3", "parentheses", 16),
        ("(" * MAX_DEPTH + "a = 1" + ")" * MAX_DEPTH, "depth", MAX_DEPTH + 1),
        (" OR ".join(["a=1"] * (MAX_COMPARISONS + 1)), "comparisons", MAX_COMPARISONS * 7 + 1),
        ("a" * (MAX_LENGTH + 1), "length", MAX_LENGTH + 1),
    ],
)
def test_what_can_not_be_read_is_refused_by_rule_and_place(text: str, rule: str, position: int) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(text)
    (violation,) = error.value.violations
    assert error.value.reason == "FIELD_INVALID"
    assert (violation.field, violation.rule) == ("filter", f"filter.{rule}")
    assert violation.description.startswith(f"at character {position}: ")


def test_what_is_just_within_the_limits_is_taken() -> None:
    assert parse("(" * (MAX_DEPTH - 1) + "a=1" + ")" * (MAX_DEPTH - 1)) == equal("a", "1", MAX_DEPTH)
    read = parse(" AND ".join(["a=1"] * MAX_COMPARISONS))
    assert isinstance(read, Junction) and len(read.of) == MAX_COMPARISONS


PIECES = [
    "a",
    "=",
    "!=",
    ":",
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "-",
    '"',
    "'",
    "\\",
    "*",
    " ",
    "\0",
    "\u200b",
    "市",
    "1",
    ";",
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@example("(" * MAX_LENGTH)
@example("-" * MAX_LENGTH)
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    assert all(each.field == "filter" and each.rule.startswith("filter.") for each in violations(text))


def violations(text: str) -> tuple[Violation, ...]:
    try:
        parse(text)
    except InvalidArgument as error:
        return error.violations
    return ()
