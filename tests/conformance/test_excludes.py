"""Separated duties (受审分离): what contracts say by `excludes` is what the rules hold, step by step, both ways."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from libs.errors import TongbanError
from libs.rpc import refusals
from services.cases.core import states
from services.cases.core.states import CaseAction, CaseFacts
from services.identity.core.approval import approved_by
from services.seal.core.seal_rules import User, ensure_separated
from services.sharing.requests import rules
from services.sharing.requests.rules import RequestProgress, RequestState, RequestStep
from tests.support import contracts
from tests.support.widening import takes_two
from tongban.options.v1.options_pb2 import ACTOR_KIND_STAFF

HUMAN = "persons/00000000-0000-7000-8000-0000000000a1"
SEPARATED = {"CASE_DUTIES_NOT_SEPARATED", "SEAL_DUTIES_NOT_SEPARATED", "REVIEW_NOT_SEPARATED"}
BY_REQUEST = {"SealService.CreateSeal": "compares the caller with the users that the request itself names"}
"""What refuses with such a reason and looks at no earlier call."""
COVERED = {
    "MandateService.ApproveGuardian": "makes nobody able to make others able, and takes a second all the same",
    "AccountService.ApprovePersonMerge": "gives nobody what was another human being's, if both saw right",
}
"""What a second human being approves though it is not of the kind that takes two (decisions 0065, 0080)."""


def _short(name: str) -> str:
    return ".".join(name.split(".")[-2:])


def _excluded(package: str) -> dict[str, set[str]]:
    """The RPCs of a package that exclude others, and whom."""
    found = (each for each in contracts.methods() if each.name.split(".")[1] == package and each.excludes)
    return {_short(each.name): set(map(_short, each.excludes)) for each in found}


def _refuses(step: Callable[[], object]) -> bool:
    try:
        step()
    except TongbanError as error:
        return error.reason in SEPARATED
    return False


def test_what_is_excluded_is_an_rpc_that_changes_something() -> None:
    methods = {each.name: each for each in contracts.methods()}
    assert [name for each in methods.values() for name in each.excludes if not methods[name].writes] == []


def test_whoever_refuses_for_separated_duties_says_which() -> None:
    refusing = {_short(each.name) for each in contracts.methods() if SEPARATED & refusals.declared(each).keys()}
    excluding = {_short(each.name) for each in contracts.methods() if each.excludes}
    approving = {_short(each.name) for each in takes_two() if list(each.access.actors) == [ACTOR_KIND_STAFF]}
    assert refusing - excluding == set(BY_REQUEST)
    assert excluding == (refusing - set(BY_REQUEST)) | approving | set(COVERED)


_CASE_STEPS = {
    "CaseService.SubmitCase": "received_by",
    "CaseService.AcceptCase": "accepted_by",
    "CaseService.AcceptCaseWithTolerance": "accepted_by",
}
_CASE_ACTIONS = {
    "CaseService.StartReview": CaseAction.START_REVIEW,
    "CaseService.DecideCase": CaseAction.DECIDE,
    "CaseService.RedecideCase": CaseAction.REDECIDE,
}


@pytest.mark.parametrize("action", list(CaseAction))
def test_cases_hold_what_their_contract_excludes(action: CaseAction) -> None:
    """Every action of the state machine by whoever took an earlier step; who claims a task asks the same rule."""
    named = {value: key for key, value in _CASE_ACTIONS.items()}.get(action, "")
    said = _excluded("cases").get(named, set())
    assert _excluded("cases")["TaskService.ClaimCaseTask"] == _excluded("cases")["CaseService.DecideCase"]
    state = next(each for each, done in states.TRANSITIONS if done is action)
    for rpc, field in _CASE_STEPS.items():
        facts = CaseFacts(name="cases/1", state=state, **{field: HUMAN})  # type: ignore[arg-type]
        assert _refuses(partial(states.advance, facts, action, HUMAN)) == (rpc in said), (action, rpc)


_REQUEST_STEPS = {
    "GrantService.SubmitDataRequest": RequestStep.SUBMIT,
    "GrantService.PreReviewDataRequest": RequestStep.PRE_REVIEW,
    "GrantService.ReviewDataRequest": RequestStep.REVIEW,
    "GrantService.ApproveDataRequest": RequestStep.APPROVE,
    "GrantService.RefuseDataRequest": RequestStep.REFUSE,
}
_REQUEST_FIELDS = {
    "applicant": "GrantService.CreateDataRequest",
    "pre_reviewer": "GrantService.PreReviewDataRequest",
    "reviewer": "GrantService.ReviewDataRequest",
}
_AT = {
    RequestStep.SUBMIT: RequestState.DRAFT,
    RequestStep.PRE_REVIEW: RequestState.SUBMITTED,
    RequestStep.REVIEW: RequestState.PRE_REVIEWED,
    RequestStep.APPROVE: RequestState.PROVIDER_REVIEW,
    RequestStep.REFUSE: RequestState.PROVIDER_REVIEW,
}


def _by(free: RequestProgress, field: str) -> RequestProgress:
    """The same, where whoever took the step that ``field`` keeps is the one who acts now."""
    return replace(free, **{field: HUMAN})  # type: ignore[arg-type]


@pytest.mark.parametrize("rpc", _REQUEST_STEPS)
def test_requests_for_data_hold_what_their_contract_excludes(rpc: str) -> None:
    step = _REQUEST_STEPS[rpc]
    free = RequestProgress(name="dataRequests/1", state=_AT[step], applicant="persons/0")
    found = {
        earlier
        for field, earlier in _REQUEST_FIELDS.items()
        if _refuses(partial(rules.advance, _by(free, field), step, HUMAN))
    }
    assert found == _excluded("sharing").get(rpc, set())


def test_seals_hold_what_their_contract_excludes() -> None:
    keeper, user = User("staff/1", HUMAN), User("staff/2", HUMAN)
    assert _refuses(lambda: ensure_separated("seals/1", keeper, [user]))
    assert not _refuses(lambda: ensure_separated("seals/1", keeper, [replace(user, human="persons/2")]))
    assert set(_excluded("seal")) == {"SealingService.SealDocument", "SealingService.SealDigests"}


def test_whoever_stands_behind_something_already_is_no_second() -> None:
    """One rule for all of identity; test_two_people*.py drive each RPC by each that it excludes."""
    with pytest.raises(TongbanError) as refused:
        approved_by((HUMAN,), HUMAN, actor_kind="STAFF")
    assert refused.value.reason == "ACTING_ON_SELF"
    for rpc, excluded in _excluded("identity").items():
        assert rpc in excluded, "two people call it, or one after whoever asked"
