"""Requests for data: the state machine, and the separation of those who act in it (standards.md 5.2)."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from libs.errors import reasons, state_conflict
from libs.separation import took_part


class RequestState(IntEnum):
    """The states of a request; after GRANTED the grant has its own."""

    DRAFT = 1
    SUBMITTED = 2
    SUPPLEMENT_REQUESTED = 3
    PRE_REVIEWED = 4
    PROVIDER_REVIEW = 5
    GRANTED = 6
    REFUSED = 7
    WITHDRAWN = 8


class Step(Enum):
    """What can be done with a request."""

    SUBMIT = "submit"
    ASK_SUPPLEMENT = "ask_supplement"
    SUPPLEMENT = "supplement"
    PRE_REVIEW = "pre_review"
    REVIEW = "review"
    APPROVE = "approve"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


_UNDER_REVIEW = (RequestState.SUBMITTED, RequestState.PRE_REVIEWED, RequestState.PROVIDER_REVIEW)

_MOVES: dict[Step, tuple[tuple[RequestState, ...], RequestState]] = {
    Step.SUBMIT: ((RequestState.DRAFT,), RequestState.SUBMITTED),
    Step.ASK_SUPPLEMENT: (_UNDER_REVIEW, RequestState.SUPPLEMENT_REQUESTED),
    Step.SUPPLEMENT: ((RequestState.SUPPLEMENT_REQUESTED,), RequestState.SUBMITTED),
    Step.PRE_REVIEW: ((RequestState.SUBMITTED,), RequestState.PRE_REVIEWED),
    Step.REVIEW: ((RequestState.PRE_REVIEWED,), RequestState.PROVIDER_REVIEW),
    Step.APPROVE: ((RequestState.PROVIDER_REVIEW,), RequestState.GRANTED),
    Step.REFUSE: ((RequestState.PROVIDER_REVIEW,), RequestState.REFUSED),
    Step.WITHDRAW: (
        (RequestState.DRAFT, RequestState.SUPPLEMENT_REQUESTED, *_UNDER_REVIEW),
        RequestState.WITHDRAWN,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a request has come, and which human beings brought it there (empty where nobody has yet)."""

    name: str
    state: RequestState
    applicant: str
    pre_reviewer: str = ""
    reviewer: str = ""
    supplement_asked: bool = False


def advance(request: Progress, step: Step, human: str) -> RequestState:
    """Returns the state that ``step`` leads to.

    Args:
        request: where it stands.
        step: what is done.
        human: which human being does it, `persons/…`.

    Raises:
        FailedPrecondition: STATE_CONFLICT, where the state does not allow the step, or where material is asked for a
            second time (一次性告知).
        PermissionDenied: REVIEW_NOT_SEPARATED, where they had a part in an earlier step, under whatever record.
    """
    sources, target = _MOVES[step]
    if request.state not in sources:
        raise state_conflict(request.name, request.state.name, *(state.name for state in sources))
    if step is Step.ASK_SUPPLEMENT and request.supplement_asked:
        raise state_conflict(request.name, "SUPPLEMENT_ASKED_BEFORE", "SUPPLEMENT_NOT_ASKED")
    if took_part(human, _others(request, step)):
        raise reasons.review_not_separated(
            f"{step.value} needs another person than the steps before",
            request=request.name,
            step=step.value,
        )
    return target


def _others(request: Progress, step: Step) -> set[str]:
    """Returns those who must not take the step."""
    match step:
        case Step.PRE_REVIEW:
            return {request.applicant}
        case Step.REVIEW:
            return {request.applicant, request.pre_reviewer}
        case Step.APPROVE | Step.REFUSE:
            return {request.applicant, request.pre_reviewer, request.reviewer}
        case _:
            return set()
