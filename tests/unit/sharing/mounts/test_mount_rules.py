"""Mounts: nothing but plain identifiers reaches SQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import FailedPrecondition, InvalidArgument
from services.sharing.core.catalogue import DataField, DataType
from services.sharing.core.mounting import MountState, TableSource, findings, is_plain, quoted
from services.sharing.mounts.rules import check_source, checked

FIELDS = (
    DataField(code="uscc", data_type=DataType.CHARACTER, key=True),
    DataField(code="capital", data_type=DataType.CURRENCY),
)
MAPPED = (("uscc", "uscc"), ("capital", "reg_capital"))


def source(
    columns: tuple[tuple[str, str], ...] = MAPPED, schema: str = "registry", table: str = "firms"
) -> TableSource:
    return TableSource("legacy", schema, table, columns)


def broken_rules(wrong: TableSource) -> set[str]:
    with pytest.raises(InvalidArgument) as refusal:
        check_source(wrong, FIELDS)
    return {violation.rule for violation in refusal.value.violations}


@given(st.text(max_size=70))
def test_quoted_lets_nothing_out_of_its_quotes(identifier: str) -> None:
    if is_plain(identifier):
        assert quoted("public", identifier) == f'"public"."{identifier}"'
        assert set(identifier) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    else:
        with pytest.raises(InvalidArgument):
            quoted("public", identifier)


@pytest.mark.parametrize("name", ["", "1a", "Firms", 'a"b', "a b", "a;b", "a.b", "企业", "a\n", "é", "a" * 64])
def test_names_that_are_not_plain(name: str) -> None:
    assert not is_plain(name)
    assert "identifier.plain" in broken_rules(source(table=name))


@pytest.mark.parametrize("name", ["a", "_a1", "select", "a" * 63])
def test_plain_names(name: str) -> None:
    assert is_plain(name)
    check_source(source(table=name), FIELDS)


@pytest.mark.parametrize("schema", ["pg_catalog", "pg_toast", "information_schema"])
def test_system_schemas_are_not_mounted(schema: str) -> None:
    assert broken_rules(source(schema=schema)) == {"schema.system"}


@pytest.mark.parametrize(
    ("columns", "rules"),
    [
        (MAPPED[:1], {"mapping.missing"}),
        ((*MAPPED, ("other", "x")), {"mapping.unknown"}),
        ((*MAPPED, ("uscc", "x")), {"mapping.field_twice"}),
        ((("uscc", "a"), ("capital", "a")), {"mapping.column_twice"}),
        ((("uscc", "a b"), ("capital", "c")), {"identifier.plain"}),
    ],
)
def test_mappings_are_complete_and_single(columns: tuple[tuple[str, str], ...], rules: set[str]) -> None:
    assert broken_rules(source(columns)) == rules


def test_check_against_the_real_table() -> None:
    assert findings(source(), FIELDS, {"uscc": "character varying", "reg_capital": "numeric", "more": "json"}) == ()
    assert findings(source(), FIELDS, {}) == ("there is no table registry.firms that this service may read",)
    assert findings(source(), FIELDS, {"uscc": "bytea"}) == (
        "column uscc is bytea, which does not hold CHARACTER",
        "there is no column reg_capital",
    )


def test_state_after_a_check() -> None:
    assert checked("dataMounts/1", MountState.CREATED, ()) is MountState.ACTIVE
    assert checked("dataMounts/1", MountState.ACTIVE, ("fault",)) is MountState.FAILED
    assert checked("dataMounts/1", MountState.FAILED, ()) is MountState.ACTIVE
    with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
        checked("dataMounts/1", MountState.SUSPENDED, ())
