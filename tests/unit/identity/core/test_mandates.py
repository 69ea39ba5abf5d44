from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import FailedPrecondition, InvalidArgument, PermissionDenied, TongbanError
from services.identity.core import mandate_rules as mandates
from services.identity.core.mandate_rules import ActingBasis, Mandate, MandatePower, MandateScope, MandateState
from tests.unit.identity.records import mandate

NOW = datetime(2024, 6, 3, 9, 0, tzinfo=UTC)
FIRM = "organizations/firm"
AGENT = "persons/agent"
ITEM = "11320402014123456A2320131001000"
DRAFT = mandate(principal=FIRM, agent=AGENT, item_codes=(ITEM,))
WAITING = replace(DRAFT, acceptance_required=True)
ACTIVE = mandates.grant(DRAFT, NOW)


def reason_of(act: Callable[[], object]) -> str:
    with pytest.raises(TongbanError) as caught:
        act()
    return caught.value.reason


def test_a_mandate_holds_at_once_or_after_acceptance() -> None:
    assert (ACTIVE.state, ACTIVE.accept_time) == (MandateState.ACTIVE, NOW)
    waiting = mandates.grant(WAITING, NOW)
    assert (waiting.state, waiting.accept_time) == (MandateState.PROPOSED, None)
    later = NOW + timedelta(hours=1)
    assert mandates.accept(waiting, AGENT, later) == replace(waiting, state=MandateState.ACTIVE, accept_time=later)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"principal": AGENT}, "mandate.agent", "mandate.self"),
        ({"expire_time": NOW}, "mandate.end_time", "term.order"),
        ({"begin_time": NOW + timedelta(days=31)}, "mandate.end_time", "term.order"),
        ({"begin_time": NOW - timedelta(9), "expire_time": NOW - timedelta(1)}, "mandate.end_time", "term.order"),
        ({"expire_time": NOW + mandates.LONGEST_TERM + timedelta(1)}, "mandate.end_time", "term.length"),
        ({"item_codes": ()}, "mandate.scope", "mandate.items"),
        ({"all_items": True}, "mandate.scope", "mandate.items"),
    ],
)
def test_a_mandate_that_contradicts_itself_is_refused(change: dict[str, object], field: str, rule: str) -> None:
    draft = replace(DRAFT, **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument) as caught:
        mandates.grant(draft, NOW)
    assert [(v.field, v.rule) for v in caught.value.violations] == [(field, rule)]


def test_only_the_agent_accepts_and_only_once_and_in_time() -> None:
    waiting = mandates.grant(WAITING, NOW)
    assert reason_of(lambda: mandates.accept(waiting, "persons/other", NOW)) == "MANDATE_WRONG_AGENT"
    assert reason_of(lambda: mandates.accept(ACTIVE, AGENT, NOW)) == "STATE_CONFLICT"
    assert reason_of(lambda: mandates.accept(waiting, AGENT, waiting.expire_time)) == "STATE_CONFLICT"


def test_a_mandate_expires_by_itself_but_a_revoked_one_stays_revoked() -> None:
    assert ACTIVE.state_at(ACTIVE.expire_time - timedelta(seconds=1)) is MandateState.ACTIVE
    assert ACTIVE.state_at(ACTIVE.expire_time) is MandateState.EXPIRED
    revoked = mandates.revoke(ACTIVE, "done", NOW)
    assert revoked.state_at(ACTIVE.expire_time) is MandateState.REVOKED
    assert (revoked.revoke_time, revoked.revoke_reason) == (NOW, "done")
    for ended in (revoked, replace(ACTIVE, expire_time=NOW)):
        with pytest.raises(FailedPrecondition):
            mandates.revoke(ended, "again", NOW)


def acting(mandate: Mandate, *, person: str = AGENT, principal: str = FIRM, at: datetime = NOW) -> Callable[[], None]:
    return lambda: mandates.check_acting(mandate, person=person, principal=principal, now=at)


def test_an_agent_acts_within_the_two_dates() -> None:
    acting(ACTIVE)()
    early, late = NOW - timedelta(seconds=1), ACTIVE.expire_time
    assert reason_of(acting(ACTIVE, at=early)) == "MANDATE_NOT_ACTIVE"
    assert reason_of(acting(ACTIVE, at=late)) == "MANDATE_NOT_ACTIVE"
    assert reason_of(acting(mandates.revoke(ACTIVE, "r", NOW))) == "MANDATE_NOT_ACTIVE"
    assert reason_of(acting(DRAFT)) == "MANDATE_NOT_ACTIVE"
    assert reason_of(acting(ACTIVE, person="//320402/persons/agent")) == "MANDATE_WRONG_AGENT"
    assert reason_of(acting(ACTIVE, principal="organizations/other")) == "MANDATE_WRONG_PRINCIPAL"


def test_the_state_stands_in_the_refusal() -> None:
    with pytest.raises(PermissionDenied) as caught:
        acting(ACTIVE, at=ACTIVE.expire_time)()
    assert caught.value.metadata == {"mandate": "mandates/m", "state": "EXPIRED"}


def test_scope_is_item_and_power() -> None:
    basic = "320131001000"
    mandates.check_item("mandates/m", ACTIVE.scope, [basic, ITEM], MandatePower.APPLY)
    for codes, power in (([basic], MandatePower.APPLY), ([ITEM], MandatePower.COLLECT), ([], MandatePower.APPLY)):
        assert not ACTIVE.scope.covers(codes, power)
        with pytest.raises(PermissionDenied):
            mandates.check_item("mandates/m", ACTIVE.scope, codes, power)
    everything = MandateScope(frozenset({MandatePower.COLLECT}), all_items=True)
    assert everything.covers([], MandatePower.COLLECT)
    assert not everything.covers([ITEM], MandatePower.APPLY)


def test_without_a_mandate_only_the_principal_or_its_representative_acts() -> None:
    boss = "persons/boss"
    assert mandates.basis_without(AGENT, AGENT, "") is ActingBasis.SELF
    assert mandates.basis_without(boss, FIRM, boss) is ActingBasis.LEGAL_REPRESENTATIVE
    assert reason_of(lambda: mandates.basis_without(AGENT, FIRM, boss)) == "NOT_LEGAL_REPRESENTATIVE"
    assert reason_of(lambda: mandates.basis_without("", FIRM, "")) == "NOT_LEGAL_REPRESENTATIVE"
