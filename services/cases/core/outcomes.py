"""What follows from an action: whether a licence is to be issued."""

from enum import StrEnum

from libs.errors import invalid_field


class DecisionOutcome(StrEnum):
    """What a decision says: 准予, 不予许可, or allowed in part."""

    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    PARTIAL = "PARTIAL"


def check_reason(outcome: DecisionOutcome, reason: str) -> None:
    """Refuses a decision against the applicant that gives no reason (行政许可法 38). Raises ``FIELD_INVALID``."""
    if outcome is not DecisionOutcome.APPROVED and not reason.strip():
        raise invalid_field("reason", "decision.reason", f"is required where the outcome is {outcome}")


def yields_license(outcome: DecisionOutcome, license_type: str) -> bool:
    """True where the decision has a licence issued: the item yields one and nothing was refused outright."""
    return bool(license_type) and outcome is not DecisionOutcome.REJECTED
