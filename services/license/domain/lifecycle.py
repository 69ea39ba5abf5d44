"""The states of a licence, what moves it, and what it is worth on a given day.

Chinese law keeps four ends apart: 吊销 (a penalty), 撤销 (it was granted unlawfully), 注销 (the record is closed, as
article 70 of the administrative licensing law asks after each of the others), 失效 (its time is over).
"""

from datetime import date
from enum import Enum

from libs.errors import reasons, state_conflict
from services.license.domain.validity import Validity


class State(Enum):
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


class Action(Enum):
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


class Standing(Enum):
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


_LIVE = (State.ISSUED, State.SUSPENDED)

TRANSITIONS: dict[Action, tuple[tuple[State, ...], State]] = {
    Action.ISSUE: ((State.DRAFT,), State.ISSUED),
    Action.VOID: ((State.DRAFT,), State.VOIDED),
    Action.SUSPEND: ((State.ISSUED,), State.SUSPENDED),
    Action.RESUME: ((State.SUSPENDED,), State.ISSUED),
    Action.REVOKE: (_LIVE, State.REVOKED),
    # What was granted unlawfully is annulled from the start, so also after its time.
    Action.WITHDRAW: ((*_LIVE, State.EXPIRED), State.WITHDRAWN),
    Action.CANCEL: ((*_LIVE, State.EXPIRED, State.REVOKED, State.WITHDRAWN), State.CANCELLED),
    Action.EXPIRE: (_LIVE, State.EXPIRED),
    Action.TRANSFER_OUT: ((State.ISSUED,), State.TRANSFERRED_OUT),
    Action.TAKE_BACK: ((State.TRANSFERRED_OUT,), State.ISSUED),
}

_STANDING_OF_STATE = {
    State.SUSPENDED: Standing.SUSPENDED,
    State.REVOKED: Standing.REVOKED,
    State.WITHDRAWN: Standing.WITHDRAWN,
    State.CANCELLED: Standing.CANCELLED,
    State.EXPIRED: Standing.EXPIRED,
    State.TRANSFERRED_OUT: Standing.TRANSFERRED_OUT,
    # A draft was never given to anyone; to the world it does not exist.
    State.DRAFT: Standing.UNKNOWN,
    State.VOIDED: Standing.UNKNOWN,
}


def next_state(name: str, state: State, action: Action) -> State:
    """Returns the state after ``action`` on the licence ``name``; raises STATE_CONFLICT where it is not possible."""
    allowed, target = TRANSITIONS[action]
    if state not in allowed:
        raise state_conflict(name, state.value, *(each.value for each in allowed))
    return target


def standing(state: State, validity: Validity, today: date) -> Standing:
    """Returns what a licence is worth on ``today``, whether or not its expiry has been marked yet."""
    ended = validity.end is not None and validity.end < today
    if ended and state in _LIVE:
        return Standing.EXPIRED
    if state is not State.ISSUED:
        return _STANDING_OF_STATE[state]
    return Standing.NOT_YET_VALID if today < validity.start else Standing.VALID


def check_in_force(name: str, found: Standing) -> None:
    """Raises LICENSE_NOT_IN_FORCE unless the licence ``name`` is good today."""
    if found is not Standing.VALID:
        raise reasons.license_not_in_force(f"{name} is not in force", resource=name, standing=found.value)
