"""Uses of a seal: an intent is committed before the key is touched, and one number is never signed twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from libs.errors import reasons, state_conflict


class SealingState(StrEnum):
    """Where one use of a seal is."""

    COMMITTED = "COMMITTED"
    SIGNED = "SIGNED"
    VOIDED = "VOIDED"


class SealingChange(StrEnum):
    """What can happen to a use of a seal."""

    SIGN = "SIGN"
    VOID = "VOID"


class SealingKind(StrEnum):
    """What was sealed: a document sent here, or a digest of one that stayed with the caller."""

    DOCUMENT = "DOCUMENT"
    DIGEST = "DIGEST"


ABANDONED = "ABANDONED"
"""The void reason that the sweeper writes."""

_AFTER: Mapping[SealingChange, SealingState] = {
    SealingChange.SIGN: SealingState.SIGNED,
    SealingChange.VOID: SealingState.VOIDED,
}


@dataclass(frozen=True, slots=True)
class Intent:
    """A committed intent.

    Attributes:
        name: `sealings/<uuid7>`.
        number: its number, never given out twice.
        digest: SM3 of the exact TBS_Sign bytes, `sm3:<hex>`.
        state: where it is.
        commit_time: when it was committed.
    """

    name: str
    number: str
    digest: str
    state: SealingState
    commit_time: datetime


def next_state(name: str, state: SealingState, change: SealingChange) -> SealingState:
    """Returns the state after ``change``; SIGNED and VOIDED are final and raise STATE_CONFLICT."""
    if state is not SealingState.COMMITTED:
        raise state_conflict(name, state, SealingState.COMMITTED)
    return _AFTER[change]


def ensure_same_bytes(intent: Intent, digest: str) -> None:
    """Raises STATE_CONFLICT unless the bytes about to be signed are those the intent fixes, and it is open."""
    next_state(intent.name, intent.state, SealingChange.SIGN)
    if digest != intent.digest:
        raise reasons.state_conflict(
            f"{intent.name} was committed for other bytes",
            resource=intent.name,
            state=str(intent.state),
            allowed=str(SealingState.COMMITTED),
        )


def is_abandoned(intent: Intent, now: datetime, patience: timedelta) -> bool:
    """Tells whether the sweeper may void ``intent``.

    ``patience`` must be longer than the longest deadline of a call that signs: before it is over the call may still be
    at work.
    """
    return intent.state is SealingState.COMMITTED and now - intent.commit_time > patience


def sealing_number(region_code: str, day: date, sequence: int) -> str:
    """Returns the number of a use: region (6 digits), date (8) and ``sequence`` (8, from 1)."""
    if not 0 < sequence < 10**8:
        raise ValueError(f"out of range: {sequence}")
    return f"{region_code:0>6}{day:%Y%m%d}{sequence:08d}"
