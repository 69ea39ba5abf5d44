"""What follows from an action: the event that tells of it, and whether a licence is to be issued."""

from collections.abc import Mapping
from enum import StrEnum

from libs.errors import invalid_field
from services.cases.domain.states import Action


class Outcome(StrEnum):
    """What a decision says: 准予, 不予许可, or allowed in part."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PARTIAL = "PARTIAL"


CREATED_EVENT = "cn.tongban.case.created.v1"
"""The event of a new draft, which no action of the state machine makes."""

EVENTS: Mapping[Action, str] = {
    Action.SUBMIT: "cn.tongban.case.submitted.v1",
    Action.REQUEST_CORRECTION: "cn.tongban.case.correction_requested.v1",
    Action.SUBMIT_CORRECTION: "cn.tongban.case.corrected.v1",
    Action.ACCEPT: "cn.tongban.case.accepted.v1",
    Action.ACCEPT_WITH_TOLERANCE: "cn.tongban.case.accepted.v1",
    Action.DEEM_ACCEPTED: "cn.tongban.case.accepted.v1",
    Action.DECLINE: "cn.tongban.case.declined.v1",
    Action.START_REVIEW: "cn.tongban.case.review_started.v1",
    Action.FULFILL_OBLIGATION: "cn.tongban.case.corrected.v1",
    Action.SUSPEND: "cn.tongban.case.suspended.v1",
    Action.RESUME: "cn.tongban.case.resumed.v1",
    Action.EXTEND: "cn.tongban.case.extended.v1",
    Action.DECIDE: "cn.tongban.case.decided.v1",
    Action.LICENSE_FAILED: "cn.tongban.case.license_failed.v1",
    Action.REDECIDE: "cn.tongban.case.decided.v1",
    Action.CLOSE: "cn.tongban.case.closed.v1",
    Action.DELIVER: "cn.tongban.case.delivered.v1",
    Action.WITHDRAW: "cn.tongban.case.withdrawn.v1",
    Action.TERMINATE: "cn.tongban.case.terminated.v1",
}
"""The CloudEvents type that each action writes; every action writes exactly one."""


def check_reason(outcome: Outcome, reason: str) -> None:
    """Refuses a decision against the applicant that gives no reason (行政许可法 38). Raises ``FIELD_INVALID``."""
    if outcome is not Outcome.APPROVED and not reason.strip():
        raise invalid_field("reason", "decision.reason", f"is required where the outcome is {outcome}")


def yields_license(outcome: Outcome, license_type: str) -> bool:
    """True where the decision has a licence issued: the item yields one and nothing was refused outright."""
    return bool(license_type) and outcome is not Outcome.REJECTED
