"""The states of a licence, what moves it, and what it is worth on a given day.

Chinese law keeps four ends apart: 吊销 (a penalty), 撤销 (it was granted unlawfully), 注销 (the record is closed, as
article 70 of the administrative licensing law asks after each of the others), 失效 (its time is over).
"""

from datetime import date
from enum import Enum

from libs.errors import reasons, state_conflict
from services.license.core.validity import LicenseTerm


class LicenseState(Enum):
    """Where a licence stands; the names are those of LicenseState in the contract."""

    DRAFT = "DRAFT"
    ISSUED = "ISSUED"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    WITHDRAWN = "WITHDRAWN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    TRANSFERRED_OUT = "TRANSFERRED_OUT"
    VOIDED = "VOIDED"


class LicenseAction(Enum):
    """What moves a licence; the value is the verb of the event type."""

    ISSUE = "issued"
    VOID = "voided"
    SUSPEND = "suspended"
    RESUME = "resumed"
    REVOKE = "revoked"
    WITHDRAW = "withdrawn"
    CANCEL = "cancelled"
    EXPIRE = "expired"
    TRANSFER_OUT = "transferred_out"
    TAKE_BACK = "taken_back"


class LicenseStanding(Enum):
    """What a licence is worth on a day; the names are those of Standing in the contract."""

    VALID = "VALID"
    NOT_YET_VALID = "NOT_YET_VALID"
    SUSPENDED = "SUSPENDED"
    REVOKED = "REVOKED"
    WITHDRAWN = "WITHDRAWN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    TRANSFERRED_OUT = "TRANSFERRED_OUT"
    COPY_EXPIRED = "COPY_EXPIRED"
    ALTERED = "ALTERED"
    UNKNOWN = "UNKNOWN"


HIDDEN = frozenset({LicenseState.DRAFT, LicenseState.VOIDED})
"""States that only the issuer sees: to all others such a licence does not exist."""
_LIVE = (LicenseState.ISSUED, LicenseState.SUSPENDED)

TRANSITIONS: dict[LicenseAction, tuple[tuple[LicenseState, ...], LicenseState]] = {
    LicenseAction.ISSUE: ((LicenseState.DRAFT,), LicenseState.ISSUED),
    LicenseAction.VOID: ((LicenseState.DRAFT,), LicenseState.VOIDED),
    LicenseAction.SUSPEND: ((LicenseState.ISSUED,), LicenseState.SUSPENDED),
    LicenseAction.RESUME: ((LicenseState.SUSPENDED,), LicenseState.ISSUED),
    LicenseAction.REVOKE: (_LIVE, LicenseState.REVOKED),
    # What was granted unlawfully is annulled from the start, so also after its time.
    LicenseAction.WITHDRAW: ((*_LIVE, LicenseState.EXPIRED), LicenseState.WITHDRAWN),
    LicenseAction.CANCEL: (
        (*_LIVE, LicenseState.EXPIRED, LicenseState.REVOKED, LicenseState.WITHDRAWN),
        LicenseState.CANCELLED,
    ),
    LicenseAction.EXPIRE: (_LIVE, LicenseState.EXPIRED),
    LicenseAction.TRANSFER_OUT: ((LicenseState.ISSUED,), LicenseState.TRANSFERRED_OUT),
    LicenseAction.TAKE_BACK: ((LicenseState.TRANSFERRED_OUT,), LicenseState.ISSUED),
}

_STANDING_OF_STATE = {
    LicenseState.SUSPENDED: LicenseStanding.SUSPENDED,
    LicenseState.REVOKED: LicenseStanding.REVOKED,
    LicenseState.WITHDRAWN: LicenseStanding.WITHDRAWN,
    LicenseState.CANCELLED: LicenseStanding.CANCELLED,
    LicenseState.EXPIRED: LicenseStanding.EXPIRED,
    LicenseState.TRANSFERRED_OUT: LicenseStanding.TRANSFERRED_OUT,
    # A draft was never given to anyone; to the world it does not exist.
    LicenseState.DRAFT: LicenseStanding.UNKNOWN,
    LicenseState.VOIDED: LicenseStanding.UNKNOWN,
}


def next_state(name: str, state: LicenseState, action: LicenseAction) -> LicenseState:
    """Returns the state after ``action`` on the licence ``name``; raises STATE_CONFLICT where it is not possible."""
    allowed, target = TRANSITIONS[action]
    if state not in allowed:
        raise state_conflict(name, state.value, *(each.value for each in allowed))
    return target


def standing(state: LicenseState, validity: LicenseTerm, today: date) -> LicenseStanding:
    """Returns what a licence is worth on ``today``, whether or not its expiry has been marked yet."""
    ended = validity.end is not None and validity.end < today
    if ended and state in _LIVE:
        return LicenseStanding.EXPIRED
    if state is not LicenseState.ISSUED:
        return _STANDING_OF_STATE[state]
    return LicenseStanding.NOT_YET_VALID if today < validity.start else LicenseStanding.VALID


def check_in_force(name: str, found: LicenseStanding) -> None:
    """Raises LICENSE_NOT_IN_FORCE unless the licence ``name`` is good today."""
    if found is not LicenseStanding.VALID:
        raise reasons.license_not_in_force(f"{name} is not in force", resource=name, standing=found.value)
