"""The table of purposes, and what it makes of a context."""

import pytest

from libs.access import purposes
from libs.errors import InvalidArgument
from tongban.common.v1 import common_pb2

ITEM = "serviceItems/00000000-0000-7000-8000-000000000001"
OTHER = "serviceItems/00000000-0000-7000-8000-000000000002"
GRANT = "dataGrants/00000000-0000-7000-8000-000000000003"
CASE = "cases/00000000-0000-7000-8000-000000000004"


def context(code: str, **said: str) -> common_pb2.UseContext:
    return common_pb2.UseContext(purpose_code=code, **said)


def refused(said: common_pb2.UseContext) -> list[tuple[str, str]]:
    with pytest.raises(InvalidArgument) as error:
        purposes.check(said)
    return [(each.field, each.rule) for each in error.value.violations]


def test_every_purpose_has_words_in_both_languages_and_a_code_that_the_contract_takes() -> None:
    for code, each in purposes.table().items():
        assert code == each.code and code.isupper() and each.zh and each.en and each.bases


@pytest.mark.parametrize("code", ["核验", "LICENSE_CHECKS", "license_check"])
def test_a_code_of_ones_own_is_refused_naming_the_field_and_the_table(code: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        purposes.check(context(code))
    assert error.value.reason == "PURPOSE_UNKNOWN"
    assert error.value.metadata == {"field": "use_context.purpose_code", "table": "docs/purposes.md"}
    assert [each.field for each in error.value.violations] == ["use_context.purpose_code"]


def test_a_code_that_has_ended_is_refused_and_still_has_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(purposes.table())
    ended = purposes.KnownPurpose("OLD", "旧目的", "Old", frozenset(), frozenset({"law"}), ended=True)
    monkeypatch.setattr(purposes, "table", lambda: known | {"OLD": ended})
    with pytest.raises(InvalidArgument) as error:
        purposes.check(context("OLD"))
    assert error.value.reason == "PURPOSE_UNKNOWN"
    assert purposes.words_of(context("OLD")) == "旧目的"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (context("CASE_HANDLING"), [("use_context.service_item", "purpose.service_item")]),
        (context("CROSS_REGION_HANDLING", service_item=ITEM), [("use_context.case", "purpose.case")]),
        (context("STATISTICS"), [("use_context.basis", "purpose.basis")]),
        (context("FINANCIAL_SERVICE", law="《商业银行法》"), [("use_context.law", "purpose.carried")]),
        (context("LICENSE_CHECK", grant=GRANT), [("use_context.grant", "purpose.carried")]),
        (context("LICENSE_CHECK", item=ITEM, service_item=OTHER), [("use_context.service_item", "context.item")]),
    ],
)
def test_what_a_purpose_asks_for_is_asked_for(said: common_pb2.UseContext, told: list[tuple[str, str]]) -> None:
    assert refused(said) == told


@pytest.mark.parametrize(
    "said",
    [
        context("CASE_HANDLING", case=CASE),
        context("CASE_HANDLING", service_item=ITEM),
        context("CASE_HANDLING", item=ITEM),
        context("STATISTICS", grant=GRANT),
        context("LICENSE_CHECK", item=ITEM, service_item=ITEM),
    ],
)
def test_what_has_it_is_taken(said: common_pb2.UseContext) -> None:
    purposes.check(said)


def test_words_are_the_callers_or_those_of_the_table_or_the_code_of_a_later_table() -> None:
    assert purposes.words_of(common_pb2.UseContext(purpose_code="OWN_USE", purpose="自查")) == "自查"
    assert purposes.words_of(context("OWN_USE")) == "本人查询和使用"
    assert purposes.words_of(context("SPACE_TRAVEL")) == "SPACE_TRAVEL"


def test_item_and_basis_are_told_as_they_are_recorded() -> None:
    assert purposes.item_of(context("LICENSE_CHECK", item=ITEM)) == ITEM
    assert purposes.basis_of(context("LICENSE_CHECK", law="《行政许可法》")) == ("law", "《行政许可法》")
    assert purposes.basis_of(context("OWN_USE")) == ("", "")
