"""Seals: their life, who may use them, and when they are in force."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from libs.errors import invalid_field, reasons, state_conflict
from libs.separation import took_part


class SealState(StrEnum):
    """Where a seal is in its life."""

    APPLIED = "APPLIED"
    APPROVED = "APPROVED"
    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    SUPERSEDED = "SUPERSEDED"


class SealChange(StrEnum):
    """What can happen to a seal."""

    APPROVE = "APPROVE"
    MAKE = "MAKE"
    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"
    REVOKE = "REVOKE"
    EXPIRE = "EXPIRE"
    REPLACE = "REPLACE"


class SealKind(StrEnum):
    """What a seal is for (印章类型)."""

    OFFICIAL = "OFFICIAL"
    BUSINESS = "BUSINESS"
    CONTRACT = "CONTRACT"
    FINANCE = "FINANCE"
    INVOICE = "INVOICE"


class SealRank(StrEnum):
    """The rank of a seal's owner, which fixes the diameter."""

    STATE_COUNCIL = "STATE_COUNCIL"
    PROVINCE = "PROVINCE"
    PREFECTURE = "PREFECTURE"
    COUNTY = "COUNTY"
    ENTERPRISE = "ENTERPRISE"


DIAMETERS_MM: Mapping[SealRank, int] = MappingProxyType(
    {
        SealRank.STATE_COUNCIL: 60,
        SealRank.PROVINCE: 50,
        SealRank.PREFECTURE: 45,
        SealRank.COUNTY: 42,
        SealRank.ENTERPRISE: 40,
    }
)
"""Diameters in millimetres by rank (国发〔1999〕25号); a region may pass its own table instead."""

_LIVING = (SealState.ACTIVE, SealState.FROZEN)
_CHANGES: Mapping[SealChange, tuple[tuple[SealState, ...], SealState]] = {
    SealChange.APPROVE: ((SealState.APPLIED,), SealState.APPROVED),
    SealChange.MAKE: ((SealState.APPROVED,), SealState.ACTIVE),
    SealChange.FREEZE: ((SealState.ACTIVE,), SealState.FROZEN),
    SealChange.UNFREEZE: ((SealState.FROZEN,), SealState.ACTIVE),
    SealChange.REVOKE: ((SealState.APPLIED, SealState.APPROVED, *_LIVING), SealState.REVOKED),
    SealChange.EXPIRE: (_LIVING, SealState.EXPIRED),
    SealChange.REPLACE: (_LIVING, SealState.SUPERSEDED),
}


@dataclass(frozen=True, slots=True)
class SealUser:
    """One who may use a seal.

    Attributes:
        subject: `services/license`, `staff/<uuid>`, `departments/<uuid>` or `clients/<id>`.
        approval_needed: True where each use must first be approved by somebody else.
    """

    subject: str
    approval_needed: bool = False


@dataclass(frozen=True, slots=True)
class User:
    """Who makes or uses a seal.

    Attributes:
        subject: `staff/<uuid>`, `clients/<id>` or `services/license`.
        human: the human being that staff are, `persons/<uuid>`; empty for a machine.
        also: what they answer to beside their own name: the department, the staff at a window.
    """

    subject: str = ""
    human: str = ""
    also: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Every name that they answer to."""
        return frozenset({self.subject, *self.also}) - {""}

    def is_same(self, other: "User") -> bool:
        """Tells whether both are one human being, under whatever record, or one machine."""
        return took_part(self.human, {other.human}) or not self.names.isdisjoint(other.names)


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What the rules need to know of a seal.

    Attributes:
        name: `seals/<uuid7>`.
        state: its stored state.
        valid_from: from when it may be used, inclusive.
        valid_until: until when it may be used, inclusive (GB/T 38540: validStart to validEnd).
        users: who may use it.
        certified_until: until when the certificates of its signer and its maker hold, or None where they hold longer
            than the seal.
        keeper: who had it made and keeps it.
    """

    name: str
    state: SealState
    valid_from: datetime
    valid_until: datetime
    users: tuple[SealUser, ...] = ()
    certified_until: datetime | None = None
    keeper: User = User()

    @property
    def ends(self) -> datetime:
        """Until when it may be used: its own end or its certificates', whichever is earlier."""
        return min(self.valid_until, self.certified_until or self.valid_until)


def next_state(name: str, state: SealState, change: SealChange) -> SealState:
    """Returns the state of the seal ``name`` after ``change``; raises STATE_CONFLICT where it can't happen."""
    allowed, after = _CHANGES[change]
    if state not in allowed:
        raise state_conflict(name, state, *allowed)
    return after


def state_at(seal: SealFacts, at: datetime) -> SealState:
    """Returns the state of ``seal`` at ``at``: past its end it is EXPIRED before anybody writes that down."""
    if seal.state in _LIVING and at > seal.ends:
        return SealState.EXPIRED
    return seal.state


def ensure_in_force(seal: SealFacts, at: datetime) -> None:
    """Raises SEAL_NOT_USABLE unless ``seal`` is ACTIVE and within its period at ``at``."""
    state = state_at(seal, at)
    seen = "NOT_YET_VALID" if state is SealState.ACTIVE and at < seal.valid_from else str(state)
    if seen != SealState.ACTIVE:
        raise reasons.seal_not_usable(f"{seal.name} is {seen}", seal=seal.name, state=seen)


def ensure_separated(seal: str, keeper: User, users: Iterable[User]) -> None:
    """Raises PermissionDenied SEAL_DUTIES_NOT_SEPARATED where who keeps a seal is among its users (保管与使用分离)."""
    if any(keeper.is_same(user) for user in users):
        raise reasons.seal_duties_not_separated("who keeps a seal is no user of it", seal=seal)


def ensure_may_use(seal: SealFacts, user: User, approver: str = "") -> SealUser:
    """Returns the entry under which ``user`` may use ``seal``.

    A right is given to a record: an office, a machine, somebody in an office. Who must be another is told by the human being.

    Args:
        seal: the seal.
        user: who uses it.
        approver: the human being who approved this use, `persons/<uuid>`; empty where none did.

    Raises:
        PermissionDenied: SEAL_USE_NOT_ALLOWED, the user is not among the users; SEAL_DUTIES_NOT_SEPARATED, they keep it.
        FailedPrecondition: SEAL_APPROVAL_NEEDED, nobody else approved the use and every entry asks for it.
    """
    entries = [entry for entry in seal.users if entry.subject in user.names]
    if not entries:
        raise reasons.seal_use_not_allowed(f"the caller is not a user of {seal.name}", seal=seal.name)
    ensure_separated(seal.name, seal.keeper, [user])
    approved = bool(approver) and not took_part(approver, {user.human})
    for entry in sorted(entries, key=lambda entry: entry.approval_needed):
        if approved or not entry.approval_needed:
            return entry
    raise reasons.seal_approval_needed(f"use of {seal.name} must be approved", seal=seal.name)


def seal_code(region_code: str, sequence: int) -> str:
    """Returns the public-security seal code (印章编码): six digits of the region and eight of ``sequence``."""
    if len(region_code) != 6 or not region_code.isdecimal():
        raise ValueError(f"not a six-digit region code: {region_code!r}")
    if not 0 < sequence < 10**8:
        raise ValueError(f"out of range: {sequence}")
    return f"{region_code}{sequence:08d}"


def ensure_period(valid_from: datetime, valid_until: datetime, max_days: int = 3653) -> None:
    """Raises FIELD_INVALID unless the period runs forward and is at most ``max_days`` long."""
    if valid_until <= valid_from:
        raise invalid_field("seal.end_time", "after_start_time", "must be after start_time")
    if (valid_until - valid_from).days > max_days:
        raise invalid_field("seal.end_time", "at_most_ten_years", f"must be at most {max_days} days later")
