"""The state machine of a case: a table of state x action -> state, and the guards of each action.

DRAFT → SUBMITTED (收件) ⇄ CORRECTION_REQUESTED (补正) → ACCEPTED (受理) or NOT_ACCEPTED → UNDER_REVIEW (审查) ⇄
SUSPENDED (特别程序) → DECIDED → CLOSED (办结) → DELIVERED (送达); besides, WITHDRAWN and TERMINATED before the decision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from libs.errors import FailedPrecondition, reasons, state_conflict
from libs.separation import took_part


class CaseState(StrEnum):
    """The states of a case, named as in the contract."""

    DRAFT = "DRAFT"
    SUBMITTED = "SUBMITTED"
    CORRECTION_REQUESTED = "CORRECTION_REQUESTED"
    ACCEPTED = "ACCEPTED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    SUSPENDED = "SUSPENDED"
    DECIDED = "DECIDED"
    CLOSED = "CLOSED"
    DELIVERED = "DELIVERED"
    WITHDRAWN = "WITHDRAWN"
    TERMINATED = "TERMINATED"


class CaseAction(StrEnum):
    """What can be done with a case that exists, named as in the contract's ``CaseAction``."""

    UPDATE = "UPDATE"
    DELETE = "DELETE"
    SUBMIT = "SUBMIT"
    REQUEST_CORRECTION = "REQUEST_CORRECTION"
    SUBMIT_CORRECTION = "SUBMIT_CORRECTION"
    ACCEPT = "ACCEPT"
    ACCEPT_WITH_TOLERANCE = "ACCEPT_WITH_TOLERANCE"
    DEEM_ACCEPTED = "DEEM_ACCEPTED"
    DECLINE = "DECLINE"
    START_REVIEW = "START_REVIEW"
    FULFILL_OBLIGATION = "FULFILL_OBLIGATION"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    EXTEND = "EXTEND"
    DECIDE = "DECIDE"
    LICENSE_FAILED = "LICENSE_FAILED"
    REDECIDE = "REDECIDE"
    CLOSE = "CLOSE"
    DELIVER = "DELIVER"
    WITHDRAW = "WITHDRAW"
    TERMINATE = "TERMINATE"


class PublicStatus(IntEnum):
    """The three values told outside (proStatus): 1 待受理, 2 办理中, 3 已办结."""

    PENDING = 1
    IN_PROGRESS = 2
    FINISHED = 3


_S, _A = CaseState, CaseAction

TRANSITIONS: Mapping[tuple[CaseState, CaseAction], CaseState] = {
    (_S.DRAFT, _A.UPDATE): _S.DRAFT,
    (_S.DRAFT, _A.DELETE): _S.DRAFT,  # its last state: the case itself is gone
    (_S.DRAFT, _A.SUBMIT): _S.SUBMITTED,
    (_S.DRAFT, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.SUBMITTED, _A.REQUEST_CORRECTION): _S.CORRECTION_REQUESTED,
    (_S.SUBMITTED, _A.ACCEPT): _S.ACCEPTED,
    (_S.SUBMITTED, _A.ACCEPT_WITH_TOLERANCE): _S.ACCEPTED,
    (_S.SUBMITTED, _A.DEEM_ACCEPTED): _S.ACCEPTED,
    (_S.SUBMITTED, _A.DECLINE): _S.NOT_ACCEPTED,
    (_S.SUBMITTED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.SUBMITTED, _A.TERMINATE): _S.TERMINATED,
    (_S.CORRECTION_REQUESTED, _A.SUBMIT_CORRECTION): _S.SUBMITTED,
    (_S.CORRECTION_REQUESTED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.CORRECTION_REQUESTED, _A.TERMINATE): _S.TERMINATED,
    (_S.ACCEPTED, _A.START_REVIEW): _S.UNDER_REVIEW,
    (_S.ACCEPTED, _A.FULFILL_OBLIGATION): _S.ACCEPTED,
    (_S.ACCEPTED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.ACCEPTED, _A.TERMINATE): _S.TERMINATED,
    (_S.UNDER_REVIEW, _A.FULFILL_OBLIGATION): _S.UNDER_REVIEW,
    (_S.UNDER_REVIEW, _A.SUSPEND): _S.SUSPENDED,
    (_S.UNDER_REVIEW, _A.EXTEND): _S.UNDER_REVIEW,
    (_S.UNDER_REVIEW, _A.DECIDE): _S.DECIDED,
    (_S.UNDER_REVIEW, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.UNDER_REVIEW, _A.TERMINATE): _S.TERMINATED,
    (_S.SUSPENDED, _A.FULFILL_OBLIGATION): _S.SUSPENDED,
    (_S.SUSPENDED, _A.RESUME): _S.UNDER_REVIEW,
    (_S.SUSPENDED, _A.WITHDRAW): _S.WITHDRAWN,
    (_S.SUSPENDED, _A.TERMINATE): _S.TERMINATED,
    (_S.DECIDED, _A.LICENSE_FAILED): _S.DECIDED,
    (_S.DECIDED, _A.REDECIDE): _S.DECIDED,
    (_S.DECIDED, _A.CLOSE): _S.CLOSED,
    (_S.CLOSED, _A.DELIVER): _S.DELIVERED,
}
"""Every change that is possible; a pair that doesn't stand here is refused with ``STATE_CONFLICT``."""

_PUBLIC: Mapping[CaseState, PublicStatus] = {
    _S.DRAFT: PublicStatus.PENDING,
    _S.SUBMITTED: PublicStatus.PENDING,
    _S.CORRECTION_REQUESTED: PublicStatus.PENDING,
    _S.ACCEPTED: PublicStatus.IN_PROGRESS,
    _S.UNDER_REVIEW: PublicStatus.IN_PROGRESS,
    _S.SUSPENDED: PublicStatus.IN_PROGRESS,
    _S.DECIDED: PublicStatus.IN_PROGRESS,
    _S.NOT_ACCEPTED: PublicStatus.FINISHED,
    _S.CLOSED: PublicStatus.FINISHED,
    _S.DELIVERED: PublicStatus.FINISHED,
    _S.WITHDRAWN: PublicStatus.FINISHED,
    _S.TERMINATED: PublicStatus.FINISHED,
}


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the guards need to know of a case.

    Attributes:
        name: its resource name.
        state: where it stands.
        received_by: the human being who took it in, or empty.
        accepted_by: the human being who accepted it, or empty.
        correction_asked: whether correction was ever asked for.
        missing_materials: codes that must be there for the action and are not; see ``core.materials``.
        unverified_materials: codes of licences that could not be verified.
        open_obligations: codes promised under tolerance that have not arrived.
        license_pending: whether the decision yields a licence that is not issued yet.
        license_failed: whether the licence service refused to issue it.
        acceptance_overdue: whether the acceptance period is over; see ``core.clock.is_deemed_accepted``.
        told_too_late: whether what is told to the applicant now comes after that period.
    """

    name: str
    state: CaseState
    received_by: str = ""
    accepted_by: str = ""
    correction_asked: bool = False
    missing_materials: tuple[str, ...] = ()
    unverified_materials: tuple[str, ...] = ()
    open_obligations: tuple[str, ...] = ()
    license_pending: bool = False
    license_failed: bool = False
    acceptance_overdue: bool = False
    told_too_late: bool = False


Guard = Callable[[CaseFacts, CaseAction, str], None]


def advance(facts: CaseFacts, action: CaseAction, human: str) -> CaseState:
    """Returns the state after ``action`` by a human being, `persons/…`; empty where a machine acts.

    Raises:
        FailedPrecondition: ``STATE_CONFLICT``, or a guard's reason.
        PermissionDenied: ``CASE_DUTIES_NOT_SEPARATED``.
    """
    following = TRANSITIONS.get((facts.state, action))
    if following is None:
        raise state_conflict(facts.name, facts.state, *states_allowing(action))
    for guard in _GUARDS.get(action, ()):
        guard(facts, action, human)
    return following


def states_allowing(action: CaseAction) -> tuple[CaseState, ...]:
    """Returns the states in which ``action`` is possible, in the order of the life cycle."""
    return tuple(state for state in CaseState if (state, action) in TRANSITIONS)


def is_final(state: CaseState) -> bool:
    """True where nothing more can happen to a case in ``state``."""
    return not any(origin is state for origin, _ in TRANSITIONS)


def public_status(state: CaseState) -> PublicStatus:
    """Returns the three-valued status that is told outside."""
    return _PUBLIC[state]


def require_separate_duties(facts: CaseFacts, action: CaseAction, human: str) -> None:
    """Refuses review and decision by who received or accepted the case, under whatever record (受审分离)."""
    if took_part(human, (facts.received_by, facts.accepted_by)):
        raise reasons.case_duties_not_separated(
            "who received or accepted a case may not review or decide it", action=action
        )


def _ask_only_once(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    if facts.correction_asked:
        raise reasons.case_correction_already_asked(f"{facts.name}: correction is asked for once")


def _materials_complete(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    _require_none(reasons.case_material_missing, "materials are missing", facts.missing_materials)


def _materials_verified(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    _require_none(reasons.case_material_unverified, "materials are not verified", facts.unverified_materials)


def _obligations_fulfilled(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    _require_none(reasons.case_obligation_open, "tolerated materials have not arrived", facts.open_obligations)


def _license_issued(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    if facts.license_pending:
        raise reasons.case_license_pending(f"{facts.name}: its licence is not issued yet")


def _acceptance_open(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    if facts.told_too_late:
        raise reasons.case_acceptance_expired(f"{facts.name}: it is accepted by law, nothing was told in time")


def _license_refused(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    if not facts.license_failed:
        raise reasons.case_license_not_failed(f"{facts.name}: its licence was not refused")


def _acceptance_overdue(facts: CaseFacts, _action: CaseAction, _human: str) -> None:
    if not facts.acceptance_overdue:
        raise reasons.case_not_deemed_accepted(f"{facts.name}: the acceptance period is not over")


def _require_none(refused: Callable[..., FailedPrecondition], message: str, codes: tuple[str, ...]) -> None:
    if codes:
        listed = ",".join(codes)
        raise refused(f"{message}: {listed}", materials=listed)


_GUARDS: Mapping[CaseAction, tuple[Guard, ...]] = {
    _A.SUBMIT: (_materials_complete,),
    _A.REQUEST_CORRECTION: (_ask_only_once, _acceptance_open),
    _A.DECLINE: (_acceptance_open,),
    _A.SUBMIT_CORRECTION: (_materials_complete,),
    _A.ACCEPT: (_materials_complete, _materials_verified),
    _A.ACCEPT_WITH_TOLERANCE: (_materials_complete, _materials_verified),
    _A.DEEM_ACCEPTED: (_acceptance_overdue,),
    _A.START_REVIEW: (require_separate_duties,),
    _A.DECIDE: (require_separate_duties, _obligations_fulfilled),
    _A.REDECIDE: (require_separate_duties, _license_refused),
    _A.CLOSE: (_license_issued,),
}
