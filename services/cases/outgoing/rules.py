"""When something may follow an application that was sent, and when it may be taken back."""

from collections.abc import Collection

from libs.errors import state_conflict
from services.cases.core.exchange import Payload, TransferState
from services.cases.core.states import CaseState

OPEN = (TransferState.SENT, TransferState.RECEIVED, TransferState.ACCEPTED)
"""The states in which an application can be taken back."""
_TOLERATED = (CaseState.ACCEPTED, CaseState.UNDER_REVIEW, CaseState.SUSPENDED)


def check_asked(name: str, state: TransferState, progress: str, *, tolerated: bool, under_way: bool) -> None:
    """Raises STATE_CONFLICT unless something was asked for, and no answer to it is under way already.

    Args:
        name: the transfer's.
        state: where it stands.
        progress: the state of the case, as far as it was told; may be empty.
        tolerated: whether the case was accepted with tolerance.
        under_way: whether a message waits for its receipt.
    """
    if state is not TransferState.ACCEPTED:
        raise state_conflict(name, state, TransferState.ACCEPTED)
    asked = progress == CaseState.CORRECTION_REQUESTED or (tolerated and progress in _TOLERATED)
    if under_way or not asked:
        raise state_conflict(name, progress or CaseState.SUBMITTED, CaseState.CORRECTION_REQUESTED)


def check_open(name: str, state: TransferState, waiting: Collection[str]) -> None:
    """Raises STATE_CONFLICT where an application has come to its end, or is being taken back; ``waiting`` are payloads."""
    if state not in OPEN or Payload.WITHDRAWAL in waiting:
        raise state_conflict(name, state, *OPEN)
