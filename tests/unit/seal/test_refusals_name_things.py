"""A refusal of the seal service names the seal, the field and the rule; what is just within is taken."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import InvalidArgument, TongbanError
from libs.sub_indications import SubIndication
from services.seal.core.seal_rules import (
    SealChange,
    SealFacts,
    SealState,
    SealUser,
    User,
    ensure_in_force,
    ensure_may_use,
    ensure_period,
    ensure_separated,
    next_state,
    seal_code,
    state_at,
)
from services.seal.validation.registered import RegisteredSeal, existence_finding, status_finding, structure_finding
from services.seal.validation.rules import StepFinding, StepOutcome, Times, conclude, within

NOW = datetime(2026, 3, 2, tzinfo=UTC)
DAY, MOMENT = timedelta(days=1), timedelta(microseconds=1)
SEAL = SealFacts("seals/1", SealState.ACTIVE, NOW, NOW + DAY, (SealUser("departments/d", approval_needed=True),))
CLERK = User("staff/s", "persons/1", frozenset({"departments/d"}))

# Written out by hand: what can happen to a seal, and what comes of it. What doesn't stand here must be refused.
EXPECTED = {
    "APPLIED": {"APPROVE": "APPROVED", "REVOKE": "REVOKED"},
    "APPROVED": {"MAKE": "ACTIVE", "REVOKE": "REVOKED"},
    "ACTIVE": {"FREEZE": "FROZEN", "REVOKE": "REVOKED", "EXPIRE": "EXPIRED", "REPLACE": "SUPERSEDED"},
    "FROZEN": {"UNFREEZE": "ACTIVE", "REVOKE": "REVOKED", "EXPIRE": "EXPIRED", "REPLACE": "SUPERSEDED"},
    "REVOKED": {},
    "EXPIRED": {},
    "SUPERSEDED": {},
}


@pytest.mark.parametrize("state", SealState)
@pytest.mark.parametrize("change", SealChange)
def test_every_pair(state: SealState, change: SealChange) -> None:
    following = EXPECTED[state].get(change)
    if following is not None:
        assert next_state("seals/1", state, change) == following
        return
    with pytest.raises(TongbanError) as refused:
        next_state("seals/1", state, change)
    allowed = {each for each, row in EXPECTED.items() if change in row}
    assert refused.value.reason == "STATE_CONFLICT"
    assert set(refused.value.metadata.pop("allowed").split(",")) == allowed
    assert refused.value.metadata == {"resource": "seals/1", "state": state.value}


@pytest.mark.parametrize(
    ("call", "reason", "metadata"),
    [
        (
            lambda: ensure_in_force(SEAL, NOW - MOMENT),
            "SEAL_NOT_USABLE",
            {"seal": "seals/1", "state": "NOT_YET_VALID"},
        ),
        (
            lambda: ensure_in_force(SEAL, NOW + DAY + MOMENT),
            "SEAL_NOT_USABLE",
            {"seal": "seals/1", "state": "EXPIRED"},
        ),
        (
            lambda: ensure_in_force(replace(SEAL, state=SealState.FROZEN), NOW - DAY),
            "SEAL_NOT_USABLE",
            {"seal": "seals/1", "state": "FROZEN"},
        ),
        (
            lambda: ensure_may_use(SEAL, User("staff/x", "persons/1")),
            "SEAL_USE_NOT_ALLOWED",
            {"seal": "seals/1"},
        ),
        (lambda: ensure_may_use(SEAL, User()), "SEAL_USE_NOT_ALLOWED", {"seal": "seals/1"}),
        (lambda: ensure_may_use(SEAL, CLERK), "SEAL_APPROVAL_NEEDED", {"seal": "seals/1"}),
        (lambda: ensure_may_use(SEAL, CLERK, "persons/1"), "SEAL_APPROVAL_NEEDED", {"seal": "seals/1"}),
        (
            lambda: ensure_may_use(replace(SEAL, keeper=User("staff/k", "persons/1")), CLERK, "persons/2"),
            "SEAL_DUTIES_NOT_SEPARATED",
            {"seal": "seals/1"},
        ),
        (
            lambda: ensure_separated("seals/1", User("staff/k", "persons/1"), [User("staff/x"), CLERK]),
            "SEAL_DUTIES_NOT_SEPARATED",
            {"seal": "seals/1"},
        ),
    ],
)
def test_a_refusal_names_what_it_is_about(call: Callable[[], object], reason: str, metadata: dict[str, str]) -> None:
    with pytest.raises(TongbanError) as refused:
        call()
    assert (refused.value.reason, refused.value.metadata) == (reason, metadata)
    assert refused.value.message.strip()


@pytest.mark.parametrize(
    ("until", "rule"), [(NOW, "after_start_time"), (NOW + timedelta(days=3654), "at_most_ten_years")]
)
def test_a_period_that_is_none_is_named(until: datetime, rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        ensure_period(NOW, until)
    assert [(each.field, each.rule) for each in refused.value.violations] == [("seal.end_time", rule)]
    assert all(each.description.strip() for each in refused.value.violations)


def test_what_is_just_within_is_taken() -> None:
    ensure_period(NOW, NOW + MOMENT)
    ensure_period(NOW, NOW + timedelta(days=3653))
    ensure_period(NOW, NOW + DAY, max_days=1)
    for moment in (NOW, NOW + DAY):
        ensure_in_force(SEAL, moment)
    assert ensure_may_use(SEAL, CLERK, "persons/2") == SEAL.users[0]
    assert ensure_may_use(SEAL, replace(CLERK, human=""), "persons/2") == SEAL.users[0]
    assert seal_code("341500", 10**8 - 1) == "34150099999999"
    assert state_at(replace(SEAL, state=SealState.FROZEN), NOW + DAY) is SealState.FROZEN
    assert state_at(replace(SEAL, state=SealState.FROZEN), NOW + DAY + MOMENT) is SealState.EXPIRED
    assert state_at(replace(SEAL, state=SealState.APPROVED), NOW + 9 * DAY) is SealState.APPROVED
    assert not User().is_same(User())
    assert CLERK.names == {"staff/s", "departments/d"}


FROZEN = RegisteredSeal(b"s", SealState.FROZEN, NOW)
REVOKED = RegisteredSeal(b"s", SealState.REVOKED, NOW, NOW + DAY)


@pytest.mark.parametrize(
    ("finding", "outcome", "indication"),
    [
        (lambda: within(NOW, NOW + DAY, Times(NOW - MOMENT, NOW)), StepOutcome.FAILED, SubIndication.NOT_YET_VALID),
        (lambda: within(NOW, NOW + DAY, Times(NOW + DAY + MOMENT, NOW)), StepOutcome.FAILED, SubIndication.EXPIRED),
        (
            lambda: within(NOW, NOW + DAY, Times(NOW, NOW + DAY + MOMENT)),
            StepOutcome.INDETERMINATE,
            SubIndication.OUT_OF_BOUNDS_NO_POE,
        ),
        (lambda: within(NOW, NOW + DAY, Times(NOW + DAY, NOW)), StepOutcome.PASSED, None),
        (lambda: structure_finding(None, b"s"), StepOutcome.NOT_APPLICABLE, None),
        (lambda: structure_finding(FROZEN, b"s"), StepOutcome.PASSED, None),
        (lambda: structure_finding(FROZEN, b"x"), StepOutcome.FAILED, SubIndication.HASH_FAILURE),
        (
            lambda: status_finding(None, Times(NOW, NOW), recorded=True),
            StepOutcome.INDETERMINATE,
            SubIndication.TRY_LATER,
        ),
        (
            lambda: status_finding(FROZEN, Times(NOW, NOW), recorded=False),
            StepOutcome.INDETERMINATE,
            SubIndication.TRY_LATER,
        ),
        (
            lambda: status_finding(REVOKED, Times(NOW + DAY, NOW), recorded=True),
            StepOutcome.FAILED,
            SubIndication.REVOKED,
        ),
        (
            lambda: status_finding(REVOKED, Times(NOW, NOW + DAY), recorded=True),
            StepOutcome.INDETERMINATE,
            SubIndication.REVOKED_NO_POE,
        ),
        (
            lambda: status_finding(REVOKED, Times(NOW, NOW + DAY - MOMENT), recorded=False),
            StepOutcome.PASSED,
            None,
        ),
        (lambda: existence_finding(FROZEN, None, Times(NOW, NOW), recorded=True), StepOutcome.PASSED, None),
        (lambda: existence_finding(FROZEN, NOW, Times(NOW, NOW), recorded=False), StepOutcome.PASSED, None),
        (
            lambda: existence_finding(FROZEN, None, Times(NOW, NOW), recorded=False),
            StepOutcome.INDETERMINATE,
            SubIndication.NO_POE,
        ),
        (
            lambda: existence_finding(REVOKED, None, Times(NOW, NOW), recorded=False),
            StepOutcome.INDETERMINATE,
            SubIndication.NO_POE,
        ),
        (
            lambda: existence_finding(REVOKED, None, Times(NOW + DAY, NOW), recorded=False),
            StepOutcome.NOT_APPLICABLE,
            None,
        ),
        (lambda: existence_finding(None, None, Times(NOW, NOW), recorded=False), StepOutcome.NOT_APPLICABLE, None),
    ],
)
def test_a_finding_says_its_outcome_and_why(
    finding: Callable[[], StepFinding], outcome: StepOutcome, indication: SubIndication | None
) -> None:
    found = finding()
    assert (found.outcome, found.sub_indication) == (outcome, indication)
    assert found.evidence.strip()


def test_what_was_seen_stands_in_the_evidence() -> None:
    """No text for people alone: the report is kept, and says the times that decided."""
    assert within(NOW, NOW + DAY, Times(NOW, NOW)).evidence == (
        "2026-03-02T00:00:00+00:00 to 2026-03-03T00:00:00+00:00, used 2026-03-02T00:00:00+00:00"
    )
    assert status_finding(FROZEN, Times(NOW, NOW), recorded=True).evidence == "FROZEN"
    ended = status_finding(REVOKED, Times(NOW, NOW), recorded=True).evidence
    assert ended == "REVOKED since 2026-03-03T00:00:00+00:00, used 2026-03-02T00:00:00+00:00"
    stamp = existence_finding(None, NOW, Times(NOW, NOW), recorded=False).evidence
    assert stamp.endswith("2026-03-02T00:00:00+00:00")
    assert conclude([]).sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
