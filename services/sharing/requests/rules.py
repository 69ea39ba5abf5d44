"""Requests for data: the state machine, and the separation of those who act in it (《政务数据共享条例》)."""

from dataclasses import dataclass
from enum import Enum

from libs.errors import reasons, require_state, state_conflict
from libs.separation import took_part


class RequestState(Enum):
    """The states of a request, as rows name them; after GRANTED the grant has its own."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    SUPPLEMENT_REQUESTED = "SUPPLEMENT_REQUESTED"
    PRE_REVIEWED = "PRE_REVIEWED"
    PROVIDER_REVIEW = "PROVIDER_REVIEW"
    GRANTED = "GRANTED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


class RequestStep(Enum):
    """What can be done with a request."""

    SUBMIT = "submit"
    PRE_REVIEW = "pre_review"
    REVIEW = "review"
    APPROVE = "approve"
    REFUSE = "refuse"


_MOVES: dict[RequestStep, tuple[RequestState, RequestState]] = {
    RequestStep.SUBMIT: (RequestState.DRAFT, RequestState.SUBMITTED),
    RequestStep.PRE_REVIEW: (RequestState.SUBMITTED, RequestState.PRE_REVIEWED),
    RequestStep.REVIEW: (RequestState.PRE_REVIEWED, RequestState.PROVIDER_REVIEW),
    RequestStep.APPROVE: (RequestState.PROVIDER_REVIEW, RequestState.GRANTED),
    RequestStep.REFUSE: (RequestState.PROVIDER_REVIEW, RequestState.REFUSED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestProgress:
    """How far a request has come, and which human beings brought it there (empty where nobody has yet)."""

    name: str
    state: RequestState
    applicant: str
    pre_reviewer: str = ""
    reviewer: str = ""


def require_draft(request: str, state: RequestState) -> None:
    """Raises STATE_CONFLICT unless the request is a draft: what was handed in stays as it was."""
    require_state(request, state.value, RequestState.DRAFT.value)


def advance(request: RequestProgress, step: RequestStep, human: str) -> RequestState:
    """Returns the state that ``step`` leads to.

    Args:
        request: where it stands.
        step: what is done.
        human: which human being does it, `persons/…`.

    Raises:
        FailedPrecondition: STATE_CONFLICT, where the state does not allow the step.
        PermissionDenied: REVIEW_NOT_SEPARATED, where they had a part in an earlier step, under whatever record.
    """
    source, target = _MOVES[step]
    if request.state is not source:
        raise state_conflict(request.name, request.state.value, source.value)
    if took_part(human, _others(request, step)):
        raise reasons.review_not_separated(
            f"{step.value} needs another person than the steps before",
            request=request.name,
            step=step.value,
        )
    return target


def _others(request: RequestProgress, step: RequestStep) -> set[str]:
    """Returns those who must not take the step."""
    match step:
        case RequestStep.PRE_REVIEW:
            return {request.applicant}
        case RequestStep.REVIEW:
            return {request.applicant, request.pre_reviewer}
        case RequestStep.APPROVE | RequestStep.REFUSE:
            return {request.applicant, request.pre_reviewer, request.reviewer}
        case RequestStep.SUBMIT:
            return set()
