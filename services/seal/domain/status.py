"""Whether a seal was in force when it was used, as far as its own region's list tells."""

from datetime import datetime

from services.seal.domain.seals import SealState
from services.seal.domain.validation import Finding, SubIndication, failed, passed


def status_finding(state: SealState, end_time: datetime | None, at: datetime) -> Finding:
    """Checks that a seal was neither revoked nor frozen at ``at``.

    Args:
        state: its state now; EXPIRED is the matter of another step.
        end_time: when it was revoked or replaced, or None.
        at: the time of its use. What was sealed before the end stays valid.
    """
    if state is SealState.FROZEN:
        return failed(SubIndication.REVOKED, "the seal is frozen")
    if end_time is not None and end_time <= at:
        return failed(SubIndication.REVOKED, f"{state} since {end_time.isoformat()}, used {at.isoformat()}")
    return passed(f"{state}")
