"""Trust between regions: a state machine with two directions that stand and fall apart (互信名单)."""

from dataclasses import dataclass, replace
from enum import Flag, StrEnum, auto

from libs.errors import PermissionDenied, reasons, state_conflict


@dataclass(frozen=True, slots=True)
class ListedCode:
    """A code of a region in GB/T 2260, and its first and last day (ISO 8601), empty where it has none."""

    code: str
    begin: str = ""
    end: str = ""


class RegionState(StrEnum):
    """The life of the trust (RegionState of the contract)."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    ENDED = "ENDED"


class TrustState(StrEnum):
    """Where the trust stands one way (TrustState of the contract)."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    SUSPENDED = "SUSPENDED"


class TrustGrade(StrEnum):
    """What may be done by what passes one way (TrustGrade of the contract)."""

    FULL = "FULL"
    READING = "READING"


class TrustDirection(Flag):
    """A direction as seen from this region; BOTH is the two together."""

    INBOUND = auto()
    OUTBOUND = auto()
    BOTH = INBOUND | OUTBOUND


NOTHING = TrustDirection(0)
"""Neither direction."""


@dataclass(frozen=True, slots=True)
class RegionTrust:
    """Where the trust in a region stands: its life, and each direction.

    Attributes:
        state: its life.
        inbound: where it stands from there to here.
        outbound: likewise from here to there.
        reading: the directions in which only reads pass, where anything does.
    """

    state: RegionState
    inbound: TrustState = TrustState.CLOSED
    outbound: TrustState = TrustState.CLOSED
    reading: TrustDirection = NOTHING

    def ways(self, state: TrustState) -> TrustDirection:
        """Returns the directions that stand at ``state``."""
        inbound = TrustDirection.INBOUND if self.inbound is state else NOTHING
        return inbound | (TrustDirection.OUTBOUND if self.outbound is state else NOTHING)

    def moved(self, direction: TrustDirection, state: TrustState) -> "RegionTrust":
        """Returns it with each direction of ``direction`` at ``state``."""
        inbound = state if TrustDirection.INBOUND in direction else self.inbound
        outbound = state if TrustDirection.OUTBOUND in direction else self.outbound
        return replace(self, inbound=inbound, outbound=outbound)

    def grade(self, direction: TrustDirection) -> TrustGrade:
        """Returns what may be done by what passes in the one ``direction``."""
        return TrustGrade.READING if direction in self.reading else TrustGrade.FULL


@dataclass(frozen=True, slots=True)
class TrustTerms:
    """What passes one way, where it is open.

    Attributes:
        direction: INBOUND or OUTBOUND.
        max_assurance: the highest assurance that counts; a higher one counts as this.
        min_assurance: the least one of people and staff who pass.
        actor_kinds: who passes, as their own region calls them; empty for all.
        grade: what may be done by it.
    """

    direction: TrustDirection
    max_assurance: int
    min_assurance: int = 0
    actor_kinds: frozenset[str] = frozenset()
    grade: TrustGrade = TrustGrade.FULL

    @property
    def reads_only(self) -> bool:
        """Whether only reads pass."""
        return self.grade is TrustGrade.READING


PROPOSED = RegionTrust(RegionState.PROPOSED)
"""A region that was entered: nothing passes."""
BEGUN = RegionTrust(RegionState.ACTIVE, TrustState.OPEN, TrustState.OPEN)
"""The trust as it begins: what its terms cover passes both ways."""
OVER = RegionTrust(RegionState.ENDED)
"""The trust as it ends."""
_MACHINE = "SERVICE"


def open_ways(trust: RegionTrust) -> TrustDirection:
    """Returns the directions in which calls and assertions pass."""
    return trust.ways(TrustState.OPEN)


def require(region: str, trust: RegionTrust | None, direction: TrustDirection) -> None:
    """Raises PermissionDenied REGION_NOT_TRUSTED unless all of ``direction`` is open.

    Args:
        region: its id, for the error.
        trust: where the trust stands; None where the region is not on the list.
        direction: which way something is to pass.
    """
    if trust is None or direction not in open_ways(trust):
        raise reasons.region_not_trusted(f"region {region} is not trusted that way", region=region)


def require_covered(region: str, terms: TrustTerms, actor_kind: str, assurance: int) -> None:
    """Checks that the trust covers somebody of ``actor_kind`` (PERSON, STAFF, SERVICE) who is known at ``assurance``.

    Raises:
        PermissionDenied: REGION_TRUST_NOT_COVERING with rule `actor_kind` or `assurance`.
    """
    if terms.actor_kinds and actor_kind not in terms.actor_kinds:
        raise _not_covered(region, terms, "actor_kind")
    if actor_kind != _MACHINE and assurance < terms.min_assurance:
        raise _not_covered(region, terms, "assurance")


def require_changes(region: str, terms: TrustTerms) -> None:
    """Raises PermissionDenied REGION_READS_ONLY where only reads pass that way."""
    if terms.reads_only:
        message = "the trust between the regions lets only reads pass"
        raise reasons.region_reads_only(message, region=region, direction=str(terms.direction.name), rule="grade")


def _not_covered(region: str, terms: TrustTerms, rule: str) -> PermissionDenied:
    message = "the trust between the regions does not cover this caller"
    return reasons.region_trust_not_covering(message, region=region, direction=str(terms.direction.name), rule=rule)


def activate(name: str, trust: RegionTrust) -> RegionTrust:
    """Begins the trust; raises FailedPrecondition STATE_CONFLICT unless it is PROPOSED."""
    if trust.state is not RegionState.PROPOSED:
        raise state_conflict(name, trust.state, RegionState.PROPOSED)
    return replace(BEGUN, reading=trust.reading)


def suspend(name: str, trust: RegionTrust, direction: TrustDirection) -> RegionTrust:
    """Closes what is open of ``direction``; raises FailedPrecondition STATE_CONFLICT where none of it is."""
    return _change(name, trust, direction, TrustState.OPEN, TrustState.SUSPENDED)


def narrow(name: str, trust: RegionTrust, direction: TrustDirection) -> RegionTrust:
    """Lets only reads pass in ``direction``; raises FailedPrecondition STATE_CONFLICT where that is so in all of it."""
    _require_active(name, trust)
    found = direction & ~trust.reading
    if not found:
        raise state_conflict(name, TrustGrade.READING, TrustGrade.FULL)
    return replace(trust, reading=trust.reading | found)


def resume(name: str, trust: RegionTrust, direction: TrustDirection, *, changes: bool = False) -> RegionTrust:
    """Opens ``direction`` again, and with ``changes`` lets more than reads pass in it.

    Raises:
        FailedPrecondition: STATE_CONFLICT where all of it is open, and nothing else is asked for, or there.
    """
    if not changes or not trust.reading & direction:
        return _change(name, trust, direction, TrustState.SUSPENDED, TrustState.OPEN)
    _require_active(name, trust)
    opened = trust.moved(trust.ways(TrustState.SUSPENDED) & direction, TrustState.OPEN)
    return replace(opened, reading=trust.reading & ~direction)


def end(name: str, trust: RegionTrust) -> RegionTrust:
    """Ends the trust for ever; raises FailedPrecondition STATE_CONFLICT where it has ended."""
    require_lasting(name, trust)
    return replace(OVER, reading=trust.reading)


def require_lasting(name: str, trust: RegionTrust) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where the trust has ended, and nothing of the region changes any more."""
    if trust.state is RegionState.ENDED:
        raise state_conflict(name, trust.state, RegionState.PROPOSED, RegionState.ACTIVE)


def may_propose(trust: RegionTrust | None) -> bool:
    """Says whether a region can be proposed whose last entry stands so (None: it has none)."""
    return trust is None or trust.state is RegionState.ENDED


def _change(
    name: str, trust: RegionTrust, direction: TrustDirection, before: TrustState, after: TrustState
) -> RegionTrust:
    _require_active(name, trust)
    found = trust.ways(before) & direction
    if not found:
        raise state_conflict(name, after, before)
    return trust.moved(found, after)


def _require_active(name: str, trust: RegionTrust) -> None:
    if trust.state is not RegionState.ACTIVE:
        raise state_conflict(name, trust.state, RegionState.ACTIVE)
