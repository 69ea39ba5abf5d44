"""Grants: what leaves, and what does not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, ResourceExhausted
from services.sharing.core.catalogue import CatalogueEntry, DataField, DataType, ResourceForm, SharingClass
from services.sharing.core.granting import (
    GrantFacts,
    GrantState,
    Quota,
    RowCondition,
    RowOperator,
    Terms,
    Usage,
    initial_state,
    state_at,
)
from services.sharing.data.rules import DataUse, GrantedUse, RefusedUse, UseMode, choose, decide, missing, require
from services.sharing.requests.terms import check_terms, require_within

NOW = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
DEPARTMENT = "//320402/departments/d1"
ONLY_FOOD = RowCondition("trade", RowOperator.IN, ("便利店", "食品"))
TERMS = Terms(
    consumer_region="320402",
    departments=frozenset({DEPARTMENT}),
    fields=frozenset({"name", "address"}),
    compare_fields=frozenset({"phone"}),
    row_conditions=(ONLY_FOOD,),
    purpose_code="QUALIFICATION_CHECK",
    case_required=True,
    start=NOW - timedelta(days=1),
    end=NOW + timedelta(days=30),
    quota=Quota(queries_per_day=10, rows_per_query=5, rows_total=100),
)
GRANT = GrantFacts("dataGrants/1", GrantState.PROVISIONED, TERMS)
USE = DataUse(
    fields=("address", "name"),
    purpose_code="QUALIFICATION_CHECK",
    department=DEPARTMENT,
    region="320402",
    case_name="cases/1",
)


UNUSED = Usage()


def reasons(grant: GrantFacts = GRANT, usage: Usage = UNUSED, **changes: Any) -> list[str]:
    decision = decide(grant, replace(USE, **changes), usage, NOW)
    assert isinstance(decision, RefusedUse)
    with pytest.raises(type(decision.reasons[0])):
        require(decision)
    return [reason.reason for reason in decision.reasons]


def test_a_use_within_the_grant() -> None:
    decision = require(decide(GRANT, USE, Usage(9, 97), NOW))
    assert decision == GrantedUse(("address", "name"), (), (ONLY_FOOD,), 3)
    assert require(decide(GRANT, USE, Usage(), NOW)).row_limit == 5


def test_a_field_that_is_not_granted_refuses_and_is_named() -> None:
    decision = decide(GRANT, replace(USE, fields=("name", "income", "phone")), Usage(), NOW)
    assert isinstance(decision, RefusedUse)
    (reason,) = decision.reasons
    assert isinstance(reason, PermissionDenied)
    assert reason.reason == "FIELD_NOT_GRANTED"
    assert reason.metadata == {"grant": "dataGrants/1", "fields": "income,phone"}
    assert decision.refused_fields == ("income", "phone")


def test_a_partial_answer_lists_what_it_leaves_out() -> None:
    decision = decide(GRANT, replace(USE, fields=("income", "name"), allow_partial=True), Usage(), NOW)
    assert decision == GrantedUse(("name",), ("income",), (ONLY_FOOD,), 5)
    assert reasons(fields=("income",), allow_partial=True) == ["FIELD_NOT_GRANTED"]


def test_comparison_may_use_fields_that_never_leave() -> None:
    assert reasons(fields=("phone",)) == ["FIELD_NOT_GRANTED"]
    compared = decide(GRANT, replace(USE, fields=("phone", "name"), mode=UseMode.COMPARE), Usage(), NOW)
    assert require(compared).fields == ("phone", "name")
    assert reasons(fields=("income",), mode=UseMode.COMPARE) == ["FIELD_NOT_GRANTED"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"purpose_code": "STATISTICS"}, ["GRANT_PURPOSE_MISMATCH"]),
        ({"case_name": ""}, ["CASE_REQUIRED"]),
        ({"department": "//320402/departments/d2"}, ["GRANT_DEPARTMENT_MISMATCH"]),
        ({"department": ""}, ["GRANT_DEPARTMENT_MISMATCH"]),
        ({"region": "341500"}, ["GRANT_DEPARTMENT_MISMATCH"]),
        (
            {"purpose_code": "STATISTICS", "case_name": "", "fields": ("income",)},
            ["GRANT_PURPOSE_MISMATCH", "CASE_REQUIRED", "FIELD_NOT_GRANTED"],
        ),
        # To somebody whose grant it is not, nothing else is told.
        ({"purpose_code": "STATISTICS", "region": "341500"}, ["GRANT_DEPARTMENT_MISMATCH"]),
    ],
)
def test_refusals(changes: dict[str, Any], expected: list[str]) -> None:
    assert reasons(**changes) == expected


@pytest.mark.parametrize(("usage", "bound"), [(Usage(10, 0), "queries_per_day"), (Usage(0, 100), "rows_total")])
def test_quota(usage: Usage, bound: str) -> None:
    decision = decide(GRANT, USE, usage, NOW)
    assert isinstance(decision, RefusedUse)
    (reason,) = decision.reasons
    assert isinstance(reason, ResourceExhausted)
    assert reason.metadata["quota"] == bound
    assert decision.refused_fields == ()


@pytest.mark.parametrize(
    ("state", "moment", "expected"),
    [
        (GrantState.GRANTED, NOW, GrantState.GRANTED),
        (GrantState.GRANTED, TERMS.end, GrantState.EXPIRED),
        (GrantState.PROVISIONED, TERMS.start - timedelta(microseconds=1), GrantState.PROVISIONED),
        (GrantState.PROVISIONED, TERMS.start, GrantState.ACTIVE),
        (GrantState.ACTIVE, TERMS.end - timedelta(microseconds=1), GrantState.ACTIVE),
        (GrantState.ACTIVE, TERMS.end, GrantState.EXPIRED),
        (GrantState.SUSPENDED, NOW, GrantState.SUSPENDED),
        (GrantState.TERMINATED, TERMS.end, GrantState.TERMINATED),
    ],
)
def test_states_in_time(state: GrantState, moment: datetime, expected: GrantState) -> None:
    assert state_at(replace(GRANT, state=state), moment) is expected


@pytest.mark.parametrize("state", [GrantState.GRANTED, GrantState.SUSPENDED, GrantState.TERMINATED])
def test_a_grant_that_is_not_active(state: GrantState) -> None:
    decision = decide(replace(GRANT, state=state), USE, Usage(), NOW)
    assert isinstance(decision, RefusedUse)
    assert isinstance(decision.reasons[0], FailedPrecondition)
    assert decision.reasons[0].metadata == {"grant": "dataGrants/1", "state": state.name}


@pytest.mark.parametrize("moment", [TERMS.start - timedelta(days=1), TERMS.end])
def test_out_of_period(moment: datetime) -> None:
    decision = decide(GRANT, USE, Usage(), moment)
    assert isinstance(decision, RefusedUse)
    assert decision.reasons[0].reason == "GRANT_OUT_OF_PERIOD"
    assert decision.reasons[0].metadata["end_time"] == TERMS.end.isoformat()


def test_choice_among_grants() -> None:
    short = GrantFacts("dataGrants/2", GrantState.ACTIVE, replace(TERMS, end=NOW + timedelta(days=2)))
    ended = GrantFacts("dataGrants/3", GrantState.TERMINATED, replace(TERMS, end=NOW + timedelta(days=90)))
    assert choose([short, GRANT, ended], NOW) is GRANT
    assert choose([ended], NOW) is ended
    assert choose([], NOW) is None
    assert missing("dataResources/1", DEPARTMENT).metadata == {"resource": "dataResources/1", "department": DEPARTMENT}
    assert initial_state(mounted=True) is GrantState.PROVISIONED
    assert initial_state(mounted=False) is GrantState.GRANTED


FIELD_SETS = st.lists(st.sampled_from(["name", "address", "phone", "income"]), min_size=1, unique=True).map(tuple)


@given(FIELD_SETS, st.booleans(), st.sampled_from(UseMode), st.integers(0, 12), st.integers(0, 110))
def test_nothing_ever_leaves_that_is_not_granted(
    fields: tuple[str, ...], partial: bool, mode: UseMode, queries: int, rows: int
) -> None:
    decision = decide(GRANT, replace(USE, fields=fields, allow_partial=partial, mode=mode), Usage(queries, rows), NOW)
    if isinstance(decision, RefusedUse):
        assert decision.reasons
        return
    readable = TERMS.fields | (TERMS.compare_fields if mode is UseMode.COMPARE else frozenset())
    assert decision.fields
    assert set(decision.fields) <= readable
    assert set(decision.fields) | set(decision.refused_fields) == set(fields)
    assert partial or not decision.refused_fields
    assert 1 <= decision.row_limit <= min(5, 100 - rows)
    assert queries < 10


# ---- terms ----

ENTRY = CatalogueEntry(
    code="307001/1",
    form=ResourceForm.TABLE,
    sharing_class=SharingClass.UNCONDITIONAL,
    sharing_condition="c",
    restriction_basis="《某法》",
    fields=(
        DataField(code="uscc", data_type=DataType.CHARACTER, key=True),
        DataField(code="name", data_type=DataType.CHARACTER),
        DataField(code="address", data_type=DataType.CHARACTER),
        DataField(code="trade", data_type=DataType.CHARACTER),
        DataField(code="founded", data_type=DataType.DATE),
        DataField(code="phone", data_type=DataType.CHARACTER, sharing_class=SharingClass.CONDITIONAL),
        DataField(code="income", data_type=DataType.CURRENCY, sharing_class=SharingClass.NOT_SHARED),
    ),
)


def checked(**changes: Any) -> SharingClass:
    return check_terms("dataResources/1", ENTRY, replace(TERMS, **changes), "341500")


def test_terms_give_the_class_that_sets_the_deadline() -> None:
    assert checked() is SharingClass.CONDITIONAL
    assert checked(compare_fields=frozenset()) is SharingClass.UNCONDITIONAL


def test_departments_of_this_region_have_no_prefix() -> None:
    checked(consumer_region="341500", departments=frozenset({"departments/d1"}))
    for region, department in (("341500", DEPARTMENT), ("320402", "departments/d1"), ("110105", DEPARTMENT)):
        with pytest.raises(InvalidArgument) as refusal:
            checked(consumer_region=region, departments=frozenset({department}))
        assert refusal.value.violations[0].rule == "terms.region"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fields": frozenset({"other"})}, "FIELD_UNKNOWN"),
        ({"fields": frozenset({"income"})}, "RESOURCE_NOT_SHARED"),
        ({"compare_fields": frozenset({"income"})}, "RESOURCE_NOT_SHARED"),
        ({"fields": frozenset(), "compare_fields": frozenset()}, "FIELD_INVALID"),
        ({"end": TERMS.start}, "FIELD_INVALID"),
        ({"row_conditions": (RowCondition("x", RowOperator.IN, ("a",)),)}, "FIELD_UNKNOWN"),
        ({"row_conditions": (RowCondition("trade", RowOperator.IN, ()),)}, "FIELD_INVALID"),
        ({"row_conditions": (RowCondition("trade", RowOperator.PREFIX, ("a", "b")),)}, "FIELD_INVALID"),
        ({"row_conditions": (RowCondition("founded", RowOperator.PREFIX, (NOW.date(),)),)}, "FIELD_INVALID"),
        ({"row_conditions": (RowCondition("founded", RowOperator.AT_LEAST, ("2024",)),)}, "FIELD_INVALID"),
    ],
)
def test_terms_that_make_no_sense(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises((InvalidArgument, FailedPrecondition)) as refusal:
        checked(**changes)
    assert refusal.value.reason == reason


def test_a_grant_may_be_narrower_than_the_request() -> None:
    narrower = replace(
        TERMS,
        fields=frozenset({"name"}),
        compare_fields=frozenset({"address"}),
        end=NOW,
        row_conditions=(ONLY_FOOD, RowCondition("founded", RowOperator.AT_MOST, (NOW.date(),))),
        quota=Quota(queries_per_day=1, rows_per_query=1, rows_total=1),
    )
    require_within("dataRequests/1", TERMS, TERMS)
    require_within("dataRequests/1", TERMS, narrower)
    require_within("dataRequests/1", replace(TERMS, case_required=False), TERMS)


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("consumer_region", {"consumer_region": "110105"}),
        ("departments", {"departments": TERMS.departments | {"//320402/departments/d2"}}),
        ("fields", {"fields": TERMS.fields | {"trade"}}),
        ("fields", {"fields": TERMS.fields | {"phone"}}),
        ("fields", {"compare_fields": frozenset({"trade"})}),
        ("row_conditions", {"row_conditions": ()}),
        ("purpose", {"purpose_code": "STATISTICS"}),
        ("case_required", {"case_required": False}),
        ("period", {"end": TERMS.end + timedelta(days=1)}),
        ("period", {"start": TERMS.start - timedelta(days=1)}),
        ("quota", {"quota": replace(TERMS.quota, queries_per_day=11)}),
        ("quota", {"quota": replace(TERMS.quota, rows_per_query=6)}),
        ("quota", {"quota": replace(TERMS.quota, rows_total=101)}),
    ],
)
def test_a_grant_never_exceeds_the_request(part: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="TERMS_EXCEED_REQUEST") as refusal:
        require_within("dataRequests/1", TERMS, replace(TERMS, **changes))
    assert refusal.value.metadata == {"request": "dataRequests/1", "part": part}
