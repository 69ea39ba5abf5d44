"""Of a filter nothing reaches the database but parameters, and each value is what its field holds."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from libs.lists import fields
from libs.lists.conditions import compiled
from tongban.cases.v1 import task_service_pb2 as tasks

FIELDS = {
    "state": fields.choice("state", tasks.CaseTaskState),
    "code": fields.text("code"),
    "number": fields.text("number", nullable=True),
    "item": fields.named("item", "serviceItems"),
    "due": fields.day("due", nullable=True),
    "made": fields.moment("made"),
    "steps": fields.number("steps"),
    "open": fields.flag("open"),
    "tags": fields.texts("tags"),
    "results.license": fields.only("license"),
}
ITEM = "00000000-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("text", "sql", "values"),
    [
        ("state = CASE_TASK_STATE_OPEN", "state = CAST(:f0 AS text)", ["OPEN"]),
        ("code != x", "NOT (code = CAST(:f0 AS text))", ["x"]),
        ("number = 7", "(number IS NOT NULL AND number = CAST(:f0 AS text))", ["7"]),
        ("number:*", "(number IS NOT NULL AND number <> '')", []),
        (f"item = serviceItems/{ITEM}", "item = CAST(:f0 AS uuid)", [ITEM]),
        ("due < 2024-05-31", "(due IS NOT NULL AND due < CAST(:f0 AS date))", [date(2024, 5, 31)]),
        (
            "made >= 2024-05-31T08:00:00+08:00",
            "made >= CAST(:f0 AS timestamptz)",
            [datetime(2024, 5, 31, tzinfo=UTC)],
        ),
        ("steps > -3", "steps > CAST(:f0 AS bigint)", [-3]),
        ("open = true", "open = CAST(:f0 AS boolean)", [True]),
        ("tags:红", "tags @> ARRAY[CAST(:f0 AS text)]", ["红"]),
        ("NOT tags:*", "NOT (tags <> '{}')", []),
        ("results.license:licenses/1", "license = CAST(:f0 AS text)", ["licenses/1"]),
        ("results.license:*", "license <> ''", []),
        (
            "code = a OR NOT (code = b AND steps < 1)",
            "(code = CAST(:f0 AS text)) OR (NOT ((code = CAST(:f1 AS text)) AND (steps < CAST(:f2 AS bigint))))",
            ["a", "b", 1],
        ),
    ],
)
def test_a_condition_is_sql_of_our_own_and_parameters(text: str, sql: str, values: list[object]) -> None:
    made = compiled(text, FIELDS)
    assert [part.sql for part in made.parts] == [sql]
    assert list(made.values.values()) == values


def test_what_must_all_hold_comes_in_parts_that_say_which_column() -> None:
    made = compiled("code = a AND made < 2024-05-31T00:00:00Z AND (steps = 1 OR steps = 2) AND due:*", FIELDS)
    assert [(part.column, part.operator) for part in made.parts] == [("code", "="), ("made", "<"), ("", ""), ("", "")]
    assert made.parts[0].value == "a"


@pytest.mark.parametrize(
    ("text", "rule", "position"),
    [
        ("nothing = 1", "field", 1),
        ("code = a AND applicant_phone = 1", "field", 14),
        ("code < a", "operator", 1),
        ("code:a", "operator", 1),
        ("tags = a", "operator", 1),
        ("open:*", "operator", 1),
        ("state = OPEN", "value", 1),
        ("state = CASE_TASK_STATE_UNSPECIFIED", "value", 1),
        ("code = a*", "value", 1),
        ('code = "*"', "value", 1),
        ("item = 1", "value", 1),
        (f"item = cases/{ITEM}", "value", 1),
        ("due = 2024-02-30", "value", 1),
        ("due = 20240531", "value", 1),
        ("made = 2024-05-31", "value", 1),
        ("made = 2024-05-31T00:00:00", "value", 1),
        ("made = 0001-01-01T00:00:00+08:00", "value", 1),
        ("made = 9999-12-31T23:59:59-08:00", "value", 1),
        ("made = 2024-05-31T00:00:60Z", "value", 1),
        ("steps = 1.5", "value", 1),
        ("steps = 9223372036854775808", "value", 1),
        ("open = yes", "value", 1),
        ("steps = ١", "value", 1),
    ],
)
def test_what_no_field_takes_is_refused_by_rule_and_place(text: str, rule: str, position: int) -> None:
    with pytest.raises(InvalidArgument) as error:
        compiled(text, FIELDS)
    (violation,) = error.value.violations
    assert (violation.field, violation.rule) == ("filter", f"filter.{rule}")
    assert violation.description.startswith(f"at character {position}: ")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters='"\\*'), min_size=1, max_size=40))
def test_a_value_is_never_part_of_the_statement(value: str) -> None:
    made = compiled(f'code = "{value}"', FIELDS)
    assert made.parts[0].sql == "code = CAST(:f0 AS text)"
    assert made.values == {"f0": value}


def test_a_refusal_does_not_repeat_what_was_given() -> None:
    with pytest.raises(InvalidArgument) as error:
        compiled("state = 110101199003070000", FIELDS)
    assert "110101199003070000" not in str(error.value)
