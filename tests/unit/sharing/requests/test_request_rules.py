"""Requests: states, separation, deadlines."""

import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.sharing.core.catalogue import SharingClass
from services.sharing.requests.deadlines import SharingLimits, answer_days
from services.sharing.requests.rules import RequestProgress, RequestState, RequestStep, advance


def progress(state: RequestState) -> RequestProgress:
    return RequestProgress(
        name="dataRequests/1",
        state=state,
        applicant="persons/a",
        pre_reviewer="persons/p",
        reviewer="persons/r",
    )


def test_the_whole_way() -> None:
    request = RequestProgress(name="dataRequests/1", state=RequestState.DRAFT, applicant="persons/a")
    state = advance(request, RequestStep.SUBMIT, "persons/a")
    assert state is RequestState.SUBMITTED
    request = RequestProgress(name="dataRequests/1", state=state, applicant="persons/a")
    state = advance(request, RequestStep.PRE_REVIEW, "persons/p")
    assert state is RequestState.PRE_REVIEWED
    request = RequestProgress(name="dataRequests/1", state=state, applicant="persons/a", pre_reviewer="persons/p")
    state = advance(request, RequestStep.REVIEW, "persons/r")
    assert state is RequestState.PROVIDER_REVIEW
    assert advance(progress(state), RequestStep.APPROVE, "persons/d") is RequestState.GRANTED
    assert advance(progress(state), RequestStep.REFUSE, "persons/d") is RequestState.REFUSED


ALLOWED = {
    (RequestState.DRAFT, RequestStep.SUBMIT),
    (RequestState.SUBMITTED, RequestStep.PRE_REVIEW),
    (RequestState.PRE_REVIEWED, RequestStep.REVIEW),
    (RequestState.PROVIDER_REVIEW, RequestStep.APPROVE),
    (RequestState.PROVIDER_REVIEW, RequestStep.REFUSE),
}


@pytest.mark.parametrize("state", RequestState)
@pytest.mark.parametrize("step", RequestStep)
def test_only_these_steps_exist(state: RequestState, step: RequestStep) -> None:
    if (state, step) in ALLOWED:
        advance(progress(state), step, "persons/other")
    else:
        with pytest.raises(FailedPrecondition, match="STATE_CONFLICT"):
            advance(progress(state), step, "persons/other")


@pytest.mark.parametrize(
    ("state", "step", "actors"),
    [
        (RequestState.SUBMITTED, RequestStep.PRE_REVIEW, "a"),
        (RequestState.PRE_REVIEWED, RequestStep.REVIEW, "ap"),
        (RequestState.PROVIDER_REVIEW, RequestStep.APPROVE, "apr"),
        (RequestState.PROVIDER_REVIEW, RequestStep.REFUSE, "apr"),
    ],
)
def test_nobody_acts_at_two_steps(state: RequestState, step: RequestStep, actors: str) -> None:
    for actor in actors:
        with pytest.raises(PermissionDenied, match="REVIEW_NOT_SEPARATED"):
            advance(progress(state), step, f"persons/{actor}")


def test_answer_by_sharing_class() -> None:
    assert answer_days(SharingClass.UNCONDITIONAL, SharingLimits()) == 1
    assert answer_days(SharingClass.CONDITIONAL, SharingLimits()) == 10
    own = SharingLimits(answer_unconditional=2, answer_conditional=5)
    assert [answer_days(each, own) for each in (SharingClass.UNCONDITIONAL, SharingClass.CONDITIONAL)] == [2, 5]
    assert SharingLimits().supply == 20
