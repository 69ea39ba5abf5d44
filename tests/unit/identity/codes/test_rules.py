"""What is decided of personal codes without I/O."""

from datetime import date, timedelta

import pytest

from libs.errors import InvalidArgument
from services.identity.codes import rules
from services.identity.codes.rules import CodeScene
from tongban.identity.v1 import code_service_pb2 as pb


def test_scenes_are_those_of_the_contract() -> None:
    assert [f"CODE_SCENE_{each}" for each in CodeScene] == pb.CodeScene.keys()[1:]
    assert rules.SHOW not in {each.value for each in CodeScene}


@pytest.mark.parametrize(("days", "rule"), [(-1, "period.order"), (0, ""), (365, ""), (366, "period.length")])
def test_a_period_has_an_order_and_a_length(days: int, rule: str) -> None:
    start = date(2024, 1, 1)
    if not rule:
        rules.check_period(start, start + timedelta(days=days))
        return
    with pytest.raises(InvalidArgument) as refusal:
        rules.check_period(start, start + timedelta(days=days))
    assert [(each.field, each.rule) for each in refusal.value.violations] == [("end_date", rule)]


def test_a_repeat_is_the_same_scan_of_the_same_caller() -> None:
    key = rules.scan_key("clients/a", "0000000a-0000-4000-8000-000000000001")
    assert len(key) == 16
    assert key == rules.scan_key("clients/a", "0000000A-0000-4000-8000-000000000001")
    assert key != rules.scan_key("clients/b", "0000000a-0000-4000-8000-000000000001")
    assert key != rules.scan_key("clients/a", "0000000a-0000-4000-8000-000000000002")
    assert rules.scan_key("a", "bc") != rules.scan_key("ab", "c")


def test_refusals_name_their_reason_and_rule() -> None:
    assert (rules.refused("expired").reason, dict(rules.refused("expired").metadata)) == ("CODE_EXPIRED", {})
    assert (rules.refused("key").reason, rules.refused("key").metadata) == ("CODE_INVALID", {"rule": "key"})
    assert (rules.invalid("holder").reason, rules.invalid("holder").metadata) == ("CODE_INVALID", {"rule": "holder"})
    assert (rules.replayed().reason, dict(rules.replayed().metadata)) == ("CODE_REPLAYED", {})


def test_codes_are_used_up_once_and_in_one_order() -> None:
    scans = [(b"c", b"1"), (b"a", b"2"), (b"c", b"3"), (b"b", b"4")]
    assert rules.distinct(scans) == [1, 3, 0]
    assert rules.distinct([]) == []
