"""A refusal of the sharing service names the thing, the field and the rule; what is just within is taken."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, TongbanError
from services.sharing.catalogue.codes import parse_code
from services.sharing.catalogue.rules import check_entry, published, submitted
from services.sharing.core.catalogue import (
    CatalogueEntry,
    DataField,
    DataType,
    ResourceForm,
    ResourceState,
    SharingClass,
    require_keys,
    require_known,
    require_shareable,
    require_type,
)
from services.sharing.core.granting import (
    GrantFacts,
    GrantState,
    Quota,
    RowCondition,
    RowOperator,
    Terms,
    Usage,
    same_day,
    state_at,
)
from services.sharing.core.mounting import MountState, TableSource, findings, quoted
from services.sharing.data.rules import DataUse, RefusedUse, UseMode, choose, decide, missing
from services.sharing.mounts.rules import check_source, checked
from services.sharing.requests.rules import RequestProgress, RequestState, RequestStep, advance
from services.sharing.requests.terms import check_terms

NOW = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
CODE = DataField(code="uscc", data_type=DataType.CHARACTER, key=True)
NAME = DataField(code="name", data_type=DataType.CHARACTER)
FOUNDED = DataField(code="founded", data_type=DataType.DATE)
INCOME = DataField(code="income", data_type=DataType.CURRENCY, sharing_class=SharingClass.NOT_SHARED)
ENTRY = CatalogueEntry(
    code="307001/1",
    form=ResourceForm.TABLE,
    fields=(CODE, NAME, FOUNDED, INCOME),
    sharing_class=SharingClass.UNCONDITIONAL,
    restriction_basis="《某法》",
)
TERMS = Terms(
    consumer_region="341500",
    departments=frozenset({"departments/d"}),
    fields=frozenset({"name"}),
    purpose_code="QUALIFICATION_CHECK",
    case_required=True,
    start=NOW,
    end=NOW + timedelta(days=1),
    quota=Quota(queries_per_day=2, rows_per_query=3, rows_total=4),
)
GRANT = GrantFacts("dataGrants/1", GrantState.ACTIVE, TERMS)
USE = DataUse(
    fields=("name",),
    purpose_code="QUALIFICATION_CHECK",
    department="departments/d",
    region="341500",
    case_name="cases/1",
)
REQUEST = RequestProgress(name="dataRequests/1", state=RequestState.PRE_REVIEWED, applicant="a", pre_reviewer="p")


def condition(field: str, operator: RowOperator, *values: str | date) -> dict[str, object]:
    return {"row_conditions": (RowCondition("name", RowOperator.IN, ("x",)), RowCondition(field, operator, values))}


def terms(**changes: object) -> Callable[[], SharingClass]:
    return lambda: check_terms("dataResources/1", ENTRY, replace(TERMS, **changes), "341500")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "reason", "metadata"),
    [
        (
            lambda: submitted("entries/1", ResourceState.PUBLISHED),
            "STATE_CONFLICT",
            {"resource": "entries/1", "state": "PUBLISHED", "allowed": "DRAFT"},
        ),
        (
            lambda: published("entries/1", ResourceState.DRAFT),
            "STATE_CONFLICT",
            {"resource": "entries/1", "state": "DRAFT", "allowed": "SUBMITTED"},
        ),
        (
            lambda: checked("dataMounts/1", MountState.SUSPENDED, ()),
            "STATE_CONFLICT",
            {"resource": "dataMounts/1", "state": "SUSPENDED", "allowed": "CREATED,ACTIVE,FAILED"},
        ),
        (
            lambda: advance(REQUEST, RequestStep.APPROVE, "x"),
            "STATE_CONFLICT",
            {"resource": "dataRequests/1", "state": "PRE_REVIEWED", "allowed": "PROVIDER_REVIEW"},
        ),
        (
            lambda: advance(REQUEST, RequestStep.REVIEW, "p"),
            "REVIEW_NOT_SEPARATED",
            {"request": "dataRequests/1", "step": "review"},
        ),
        (
            lambda: require_known("dataResources/1", ENTRY, ["x", "name", "y"]),
            "FIELD_UNKNOWN",
            {"resource": "dataResources/1", "fields": "x,y"},
        ),
        (
            lambda: require_keys("dataResources/1", ENTRY, ["uscc", "name", "founded"]),
            "FIELD_NOT_KEY",
            {"resource": "dataResources/1", "fields": "name,founded"},
        ),
        (
            lambda: require_keys("dataResources/1", ENTRY, ["z"]),
            "FIELD_UNKNOWN",
            {"resource": "dataResources/1", "fields": "z"},
        ),
        (
            lambda: require_shareable("dataResources/1", ENTRY, ["name", "income"]),
            "RESOURCE_NOT_SHARED",
            {"resource": "dataResources/1", "basis": "《某法》"},
        ),
    ],
)
def test_a_refusal_names_what_it_is_about(call: Callable[[], object], reason: str, metadata: dict[str, str]) -> None:
    with pytest.raises(TongbanError) as refused:
        call()
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)
    assert refused.value.message.strip()


@pytest.mark.parametrize(
    ("grant", "use", "usage", "reason", "metadata"),
    [
        (
            GRANT,
            replace(USE, department="departments/e"),
            Usage(),
            "GRANT_DEPARTMENT_MISMATCH",
            {"grant": "dataGrants/1", "department": "departments/e"},
        ),
        (
            replace(GRANT, terms=replace(TERMS, start=NOW + MOMENT)),
            USE,
            Usage(),
            "GRANT_OUT_OF_PERIOD",
            {
                "grant": "dataGrants/1",
                "start_time": "2024-05-06T09:00:00.000001+00:00",
                "end_time": "2024-05-07T09:00:00+00:00",
            },
        ),
        (
            replace(GRANT, state=GrantState.SUSPENDED),
            USE,
            Usage(),
            "GRANT_NOT_ACTIVE",
            {"grant": "dataGrants/1", "state": "SUSPENDED"},
        ),
        (GRANT, replace(USE, purpose_code="STATISTICS"), Usage(), "GRANT_PURPOSE_MISMATCH", {"grant": "dataGrants/1"}),
        (GRANT, replace(USE, case_name=""), Usage(), "CASE_REQUIRED", {"grant": "dataGrants/1"}),
        (
            GRANT,
            USE,
            Usage(queries_today=2),
            "GRANT_QUOTA_EXHAUSTED",
            {"grant": "dataGrants/1", "quota": "queries_per_day", "limit": "2"},
        ),
        (
            GRANT,
            USE,
            Usage(rows_total=5),
            "GRANT_QUOTA_EXHAUSTED",
            {"grant": "dataGrants/1", "quota": "rows_total", "limit": "4"},
        ),
        (
            GRANT,
            replace(USE, fields=("x", "name", "y")),
            Usage(),
            "FIELD_NOT_GRANTED",
            {"grant": "dataGrants/1", "fields": "x,y"},
        ),
    ],
)
def test_a_use_beyond_the_grant_names_the_bound(
    grant: GrantFacts, use: DataUse, usage: Usage, reason: str, metadata: dict[str, str]
) -> None:
    decision = decide(grant, use, usage, NOW)
    assert isinstance(decision, RefusedUse)
    assert [(each.reason, each.metadata) for each in decision.reasons] == [(reason, metadata)]


@pytest.mark.parametrize(
    ("changes", "reason", "metadata"),
    [
        (
            {"fields": frozenset({"income"})},
            "RESOURCE_NOT_SHARED",
            {"resource": "dataResources/1", "basis": "《某法》"},
        ),
        ({"fields": frozenset({"x"})}, "FIELD_UNKNOWN", {"resource": "dataResources/1", "fields": "x"}),
        (condition("y", RowOperator.IN, "a"), "FIELD_UNKNOWN", {"resource": "dataResources/1", "fields": "y"}),
    ],
)
def test_terms_that_a_resource_can_not_meet_name_it(
    changes: dict[str, object], reason: str, metadata: dict[str, str]
) -> None:
    with pytest.raises(TongbanError) as refused:
        terms(**changes)()
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)
    assert refused.value.message.strip()


def test_every_reason_against_a_use_is_told_in_order() -> None:
    grant = replace(GRANT, state=GrantState.SUSPENDED)
    decision = decide(grant, replace(USE, purpose_code="STATISTICS", case_name="", fields=("y",)), Usage(2, 4), NOW)
    assert isinstance(decision, RefusedUse)
    assert [each.reason for each in decision.reasons] == [
        "GRANT_NOT_ACTIVE",
        "GRANT_PURPOSE_MISMATCH",
        "CASE_REQUIRED",
        "GRANT_QUOTA_EXHAUSTED",
        "GRANT_QUOTA_EXHAUSTED",
        "FIELD_NOT_GRANTED",
    ]
    assert decision.refused_fields == ("y",)
    foreign = decide(GRANT, replace(USE, region="320402", fields=("name", "y")), Usage(), NOW)
    assert isinstance(foreign, RefusedUse)
    assert foreign.refused_fields == ("y",)


def test_a_department_without_a_grant_is_told_of_the_resource() -> None:
    error = missing("dataResources/1", "")
    assert (error.reason, error.metadata) == ("GRANT_MISSING", {"resource": "dataResources/1", "department": ""})


def test_of_equal_grants_one_is_always_chosen() -> None:
    other = replace(GRANT, name="dataGrants/2")
    assert choose([GRANT, other], NOW) is choose([other, GRANT], NOW) is other
    longer = replace(GRANT, terms=replace(TERMS, end=TERMS.end + MOMENT))
    assert choose([other, longer], NOW) is longer


@pytest.mark.parametrize(
    ("call", "field", "rule"),
    [
        (terms(fields=frozenset()), "content.terms.fields", "terms.fields"),
        (terms(end=NOW), "content.terms.end_time", "terms.period"),
        (terms(departments=frozenset()), "content.terms.departments", "terms.region"),
        (
            terms(departments=frozenset({"departments/d", "//341500/departments/e"})),
            "content.terms.departments",
            "terms.region",
        ),
        (
            terms(**condition("founded", RowOperator.PREFIX, date(2024, 1, 1))),
            "content.terms.row_conditions[1].field_condition.operator",
            "condition.prefix",
        ),
        (
            terms(**condition("name", RowOperator.IN)),
            "content.terms.row_conditions[1].field_condition.values",
            "condition.arity",
        ),
        (
            terms(**condition("name", RowOperator.AT_MOST, "a", "b")),
            "content.terms.row_conditions[1].field_condition.values",
            "condition.arity",
        ),
        (
            terms(**condition("founded", RowOperator.IN, date(2024, 1, 1), "2024")),
            "content.terms.row_conditions[1].field_condition.values",
            "value.type",
        ),
        (lambda: require_type("values[0]", FOUNDED, NOW), "values[0]", "value.type"),
        (lambda: parse_code("407001/1"), "entry.code", "resource_code"),
        (lambda: quoted("public", "a b"), "table", "identifier.plain"),
    ],
)
def test_a_field_is_named_with_its_rule(call: Callable[[], object], field: str, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == [(field, rule)]
    assert all(each.description.strip() for each in refused.value.violations)


@pytest.mark.parametrize(
    ("call", "broken"),
    [
        (
            lambda: check_entry(
                replace(
                    ENTRY,
                    fields=(NAME, NAME, replace(FOUNDED, sharing_class=SharingClass.UNCONDITIONAL), INCOME),
                    sharing_class=SharingClass.CONDITIONAL,
                    restriction_basis="某法",
                )
            ),
            [
                ("entry.fields", "field.unique"),
                ("entry.fields", "field.key"),
                ("entry.fields[2].sharing_class", "field.class"),
                ("entry.sharing_condition", "class.condition"),
                ("entry.restriction_basis", "class.basis"),
            ],
        ),
        (
            lambda: check_entry(replace(ENTRY, sharing_class=SharingClass.NOT_SHARED, open_to_public=True)),
            [("entry.open_to_public", "class.open")],
        ),
        (
            lambda: check_source(TableSource("s", "pg_x", "T", (("uscc", "C"), ("x", "C"), ("x", "b"))), (CODE, NAME)),
            [
                ("table.table", "identifier.plain"),
                ("table.columns[0].column", "identifier.plain"),
                ("table.columns[1].column", "identifier.plain"),
                ("table.schema", "schema.system"),
                ("table.columns", "mapping.missing"),
                ("table.columns", "mapping.unknown"),
                ("table.columns", "mapping.field_twice"),
                ("table.columns", "mapping.column_twice"),
            ],
        ),
        (
            lambda: check_source(TableSource("s", "A", "t", (("uscc", "c"),)), (CODE,)),
            [("table.schema", "identifier.plain")],
        ),
    ],
)
def test_everything_that_is_wrong_is_named_at_once(call: Callable[[], object], broken: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call()
    assert [(each.field, each.rule) for each in refused.value.violations] == broken
    assert all(each.description.strip() for each in refused.value.violations)


def test_a_mapping_that_is_not_whole_names_its_fields_and_columns() -> None:
    columns = (("x", "c"), ("y", "c"), ("x", "d"), ("y", "d"))
    with pytest.raises(InvalidArgument) as refused:
        check_source(TableSource("s", "public", "t", columns), (CODE, NAME))
    assert [each.description for each in refused.value.violations] == [
        "missing: name, uscc",
        "unknown: x, y",
        "field_twice: x, y",
        "column_twice: c, d",
    ]
    with pytest.raises(InvalidArgument) as doubled:
        check_entry(replace(ENTRY, fields=(CODE, CODE, NAME, NAME, INCOME)))
    assert "uscc, name" in doubled.value.violations[0].description


def test_what_is_just_within_is_taken() -> None:
    assert terms(end=NOW + MOMENT)() is SharingClass.UNCONDITIONAL
    assert terms(**condition("name", RowOperator.PREFIX, "a"))() is SharingClass.UNCONDITIONAL
    assert terms(**condition("name", RowOperator.IN, "a", "b"))() is SharingClass.UNCONDITIONAL
    assert terms(fields=frozenset(), compare_fields=frozenset({"name"}))() is SharingClass.UNCONDITIONAL
    assert require_shareable("dataResources/1", ENTRY, []) is SharingClass.UNCONDITIONAL
    check_entry(replace(ENTRY, form=ResourceForm.FILE, fields=(NAME,)))
    # No field of a resource that is not shared can be freer: it bears its class.
    assert ENTRY.class_of(INCOME) is SharingClass.NOT_SHARED
    decision = decide(GRANT, replace(USE, mode=UseMode.COMPARE), Usage(1, 3), NOW)
    assert not isinstance(decision, RefusedUse)
    assert decision.row_limit == 1


@pytest.mark.parametrize(("days", "counts"), [(-1, False), (0, True), (1, True), (2, False)])
def test_what_was_counted_on_a_day_counts_on_it_and_where_the_clock_stepped_back(days: int, counts: bool) -> None:
    assert same_day(date(2024, 5, 6) + timedelta(days=days), date(2024, 5, 6)) is counts


def test_a_grant_that_nothing_supplies_yet_ends_with_its_period() -> None:
    granted = replace(GRANT, state=GrantState.GRANTED)
    assert state_at(granted, TERMS.end - MOMENT) is GrantState.GRANTED
    assert state_at(granted, TERMS.end) is GrantState.EXPIRED


def test_a_column_of_another_type_is_named() -> None:
    source = TableSource("s", "public", "t", (("uscc", "code"), ("founded", "day")))
    fields = (CODE, FOUNDED)
    assert findings(source, fields, {"code": "text", "day": "date"}) == ()
    assert [line.split()[:2] for line in findings(source, fields, {"code": "text", "day": "text"})] == [
        ["column", "day"]
    ]
