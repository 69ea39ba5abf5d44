from dataclasses import replace

import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.cases.core.outcomes import DecisionOutcome, check_reason, yields_license
from services.cases.core.states import (
    CaseAction,
    CaseFacts,
    CaseState,
    PublicStatus,
    advance,
    is_final,
    public_status,
    states_allowing,
)

# Written out by hand, one row per state: action -> state. What doesn't stand here must be refused.
EXPECTED: dict[str, dict[str, str]] = {
    "DRAFT": {"UPDATE": "DRAFT", "DELETE": "DRAFT", "SUBMIT": "SUBMITTED", "WITHDRAW": "WITHDRAWN"},
    "SUBMITTED": {
        "REQUEST_CORRECTION": "CORRECTION_REQUESTED",
        "ACCEPT": "ACCEPTED",
        "ACCEPT_WITH_TOLERANCE": "ACCEPTED",
        "DEEM_ACCEPTED": "ACCEPTED",
        "DECLINE": "NOT_ACCEPTED",
        "WITHDRAW": "WITHDRAWN",
        "TERMINATE": "TERMINATED",
    },
    "CORRECTION_REQUESTED": {
        "SUBMIT_CORRECTION": "SUBMITTED",
        "WITHDRAW": "WITHDRAWN",
        "TERMINATE": "TERMINATED",
    },
    "ACCEPTED": {
        "START_REVIEW": "UNDER_REVIEW",
        "FULFILL_OBLIGATION": "ACCEPTED",
        "WITHDRAW": "WITHDRAWN",
        "TERMINATE": "TERMINATED",
    },
    "NOT_ACCEPTED": {},
    "UNDER_REVIEW": {
        "FULFILL_OBLIGATION": "UNDER_REVIEW",
        "SUSPEND": "SUSPENDED",
        "EXTEND": "UNDER_REVIEW",
        "DECIDE": "DECIDED",
        "WITHDRAW": "WITHDRAWN",
        "TERMINATE": "TERMINATED",
    },
    "SUSPENDED": {
        "FULFILL_OBLIGATION": "SUSPENDED",
        "RESUME": "UNDER_REVIEW",
        "WITHDRAW": "WITHDRAWN",
        "TERMINATE": "TERMINATED",
    },
    "DECIDED": {"LICENSE_FAILED": "DECIDED", "REDECIDE": "DECIDED", "CLOSE": "CLOSED"},
    "CLOSED": {"DELIVER": "DELIVERED"},
    "DELIVERED": {},
    "WITHDRAWN": {},
    "TERMINATED": {},
}

NAME = "cases/0192f000-0000-7000-8000-000000000001"
FACTS = CaseFacts(
    NAME, CaseState.DRAFT, received_by="staff/a", accepted_by="staff/b", acceptance_overdue=True, license_failed=True
)


@pytest.mark.parametrize("state", CaseState)
@pytest.mark.parametrize("action", CaseAction)
def test_every_pair(state: CaseState, action: CaseAction) -> None:
    facts = replace(FACTS, state=state)
    following = EXPECTED[state].get(action)
    if following is not None:
        assert advance(facts, action, "staff/c") == following
        return
    with pytest.raises(FailedPrecondition) as caught:
        advance(facts, action, "staff/c")
    assert caught.value.reason == "STATE_CONFLICT"
    assert caught.value.metadata["allowed"] == ",".join(state for state, row in EXPECTED.items() if action in row)


@pytest.mark.parametrize("state", CaseState)
def test_ends(state: CaseState) -> None:
    assert is_final(state) is (not EXPECTED[state])


@pytest.mark.parametrize("state", CaseState)
def test_every_state_can_be_reached_from_a_draft(state: CaseState) -> None:
    reached = {"DRAFT"}
    for _ in CaseState:
        reached |= {following for origin in reached for following in EXPECTED[origin].values()}
    assert state in reached


@pytest.mark.parametrize("actor", ["staff/a", "staff/b"])
@pytest.mark.parametrize(
    ("state", "action"),
    [
        (CaseState.ACCEPTED, CaseAction.START_REVIEW),
        (CaseState.UNDER_REVIEW, CaseAction.DECIDE),
        (CaseState.DECIDED, CaseAction.REDECIDE),
    ],
)
def test_who_received_or_accepted_neither_reviews_nor_decides(state: CaseState, action: CaseAction, actor: str) -> None:
    with pytest.raises(PermissionDenied) as caught:
        advance(replace(FACTS, state=state), action, actor)
    assert caught.value.reason == "CASE_DUTIES_NOT_SEPARATED"
    assert caught.value.metadata == {"action": action}


def test_a_case_that_nobody_received_has_no_clerk_to_exclude() -> None:
    alone = CaseFacts(NAME, CaseState.ACCEPTED)
    assert advance(alone, CaseAction.START_REVIEW, "") is CaseState.UNDER_REVIEW


@pytest.mark.parametrize(
    ("facts", "action", "reason"),
    [
        (
            CaseFacts(NAME, CaseState.SUBMITTED, correction_asked=True),
            CaseAction.REQUEST_CORRECTION,
            "CASE_CORRECTION_ALREADY_ASKED",
        ),
        (CaseFacts(NAME, CaseState.DRAFT, missing_materials=("a", "b")), CaseAction.SUBMIT, "CASE_MATERIAL_MISSING"),
        (
            CaseFacts(NAME, CaseState.CORRECTION_REQUESTED, missing_materials=("a",)),
            CaseAction.SUBMIT_CORRECTION,
            "CASE_MATERIAL_MISSING",
        ),
        (CaseFacts(NAME, CaseState.SUBMITTED, missing_materials=("a",)), CaseAction.ACCEPT, "CASE_MATERIAL_MISSING"),
        (
            CaseFacts(NAME, CaseState.SUBMITTED, unverified_materials=("a",)),
            CaseAction.ACCEPT,
            "CASE_MATERIAL_UNVERIFIED",
        ),
        (
            CaseFacts(NAME, CaseState.SUBMITTED, unverified_materials=("a",)),
            CaseAction.ACCEPT_WITH_TOLERANCE,
            "CASE_MATERIAL_UNVERIFIED",
        ),
        (CaseFacts(NAME, CaseState.SUBMITTED), CaseAction.DEEM_ACCEPTED, "CASE_NOT_DEEMED_ACCEPTED"),
        (CaseFacts(NAME, CaseState.UNDER_REVIEW, open_obligations=("a",)), CaseAction.DECIDE, "CASE_OBLIGATION_OPEN"),
        (CaseFacts(NAME, CaseState.DECIDED, license_pending=True), CaseAction.CLOSE, "CASE_LICENSE_PENDING"),
    ],
)
def test_guards(facts: CaseFacts, action: CaseAction, reason: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        advance(facts, action, "staff/c")
    assert caught.value.reason == reason


def test_missing_materials_are_named() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        advance(CaseFacts(NAME, CaseState.DRAFT, missing_materials=("a", "b")), CaseAction.SUBMIT, "persons/p")
    assert caught.value.metadata == {"materials": "a,b"}


def test_correction_is_asked_once_only_over_the_whole_life() -> None:
    facts = CaseFacts(NAME, CaseState.SUBMITTED)
    asked = replace(facts, state=advance(facts, CaseAction.REQUEST_CORRECTION, "staff/a"), correction_asked=True)
    answered = replace(asked, state=advance(asked, CaseAction.SUBMIT_CORRECTION, "persons/p"))
    with pytest.raises(FailedPrecondition) as caught:
        advance(answered, CaseAction.REQUEST_CORRECTION, "staff/a")
    assert caught.value.reason == "CASE_CORRECTION_ALREADY_ASKED"
    assert advance(answered, CaseAction.ACCEPT, "staff/a") is CaseState.ACCEPTED


def test_states_allowing() -> None:
    assert states_allowing(CaseAction.DECIDE) == (CaseState.UNDER_REVIEW,)


def test_public_status_has_three_values() -> None:
    told = {state: public_status(state) for state in CaseState}
    assert {state for state, status in told.items() if status is PublicStatus.PENDING} == {
        CaseState.DRAFT,
        CaseState.SUBMITTED,
        CaseState.CORRECTION_REQUESTED,
    }
    assert {state for state, status in told.items() if status is PublicStatus.IN_PROGRESS} == {
        CaseState.ACCEPTED,
        CaseState.UNDER_REVIEW,
        CaseState.SUSPENDED,
        CaseState.DECIDED,
    }
    assert [int(status) for status in PublicStatus] == [1, 2, 3]


@pytest.mark.parametrize(
    ("outcome", "license_type", "issued"),
    [
        ("APPROVED", "licenseTypes/x", True),
        ("PARTIAL", "licenseTypes/x", True),
        ("REJECTED", "licenseTypes/x", False),
        ("APPROVED", "", False),
    ],
)
def test_a_decision_yields_a_license(outcome: str, license_type: str, issued: bool) -> None:
    assert yields_license(DecisionOutcome(outcome), license_type) is issued


def test_a_refusal_needs_a_reason() -> None:
    check_reason(DecisionOutcome.APPROVED, "")
    check_reason(DecisionOutcome.REJECTED, "不符合条件")
    for outcome in (DecisionOutcome.REJECTED, DecisionOutcome.PARTIAL):
        with pytest.raises(Exception, match="FIELD_INVALID"):
            check_reason(outcome, " ")
