"""Where a sign-in to a client stands, and which can be taken back."""

from datetime import datetime, timedelta
from enum import StrEnum

from libs.errors import state_conflict

LONGEST = timedelta(days=90)
"""No client acts for longer than this after the person signed in (decision 0069)."""


class SignInGrantState(StrEnum):
    """The life of a sign-in to a client (SignInGrantState of the contract)."""

    ACTIVE = "ACTIVE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


def ends(expire_time: datetime | None, auth_time: datetime) -> datetime:
    """Returns until when a client can act at most; of those that were before it was kept, the latest that it could be."""
    return expire_time or auth_time + LONGEST


def state_of(revoke_time: datetime | None, end: datetime, now: datetime) -> SignInGrantState:
    """Returns where a sign-in stands that ends at ``end`` at the latest."""
    if revoke_time is not None:
        return SignInGrantState.REVOKED
    return SignInGrantState.EXPIRED if end <= now else SignInGrantState.ACTIVE


def check_stands(name: str, state: SignInGrantState) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where it ended before its time.

    What is EXPIRED is still agreed to, and can be taken back.
    """
    if state is SignInGrantState.REVOKED:
        raise state_conflict(name, state, SignInGrantState.ACTIVE, SignInGrantState.EXPIRED)
