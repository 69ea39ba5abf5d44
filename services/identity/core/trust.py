"""Trust between regions: a state machine with two directions that stand and fall apart (互信名单)."""

from dataclasses import dataclass
from enum import Enum, Flag, StrEnum, auto
from types import MappingProxyType

from libs.errors import reasons, state_conflict


@dataclass(frozen=True, slots=True)
class ListedCode:
    """A code of a region in GB/T 2260, and its first and last day (ISO 8601), empty where it has none."""

    code: str
    begin: str = ""
    end: str = ""


class RegionState(StrEnum):
    """Where the trust stands (RegionState of the contract)."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    INBOUND_SUSPENDED = "INBOUND_SUSPENDED"
    OUTBOUND_SUSPENDED = "OUTBOUND_SUSPENDED"
    SUSPENDED = "SUSPENDED"
    ENDED = "ENDED"


class TrustDirection(Flag):
    """A direction as seen from this region; BOTH is the two together."""

    INBOUND = auto()
    OUTBOUND = auto()
    BOTH = INBOUND | OUTBOUND


NOTHING = TrustDirection(0)
"""Neither direction."""

_BY_OPEN = MappingProxyType(
    {
        TrustDirection.BOTH: RegionState.ACTIVE,
        TrustDirection.OUTBOUND: RegionState.INBOUND_SUSPENDED,
        TrustDirection.INBOUND: RegionState.OUTBOUND_SUSPENDED,
        NOTHING: RegionState.SUSPENDED,
    }
)
_OPEN = MappingProxyType({state: open_ways for open_ways, state in _BY_OPEN.items()})
_LIVE = tuple(_BY_OPEN.values())


class _Change(Enum):
    SUSPEND = auto()
    RESUME = auto()


def open_ways(state: RegionState) -> TrustDirection:
    """Returns the directions in which calls and assertions pass in ``state``."""
    return _OPEN.get(state, NOTHING)


def require(region: str, state: RegionState | None, direction: TrustDirection) -> None:
    """Raises PermissionDenied REGION_NOT_TRUSTED unless all of ``direction`` is open.

    Args:
        region: its id, for the error.
        state: where the trust stands; None where the region is not on the list.
        direction: which way something is to pass.
    """
    if state is None or direction not in open_ways(state):
        raise reasons.region_not_trusted(f"region {region} is not trusted that way", region=region)


def activate(name: str, state: RegionState) -> RegionState:
    """Begins the trust; raises FailedPrecondition STATE_CONFLICT unless it is PROPOSED."""
    if state is not RegionState.PROPOSED:
        raise state_conflict(name, state, RegionState.PROPOSED)
    return RegionState.ACTIVE


def suspend(name: str, state: RegionState, direction: TrustDirection) -> RegionState:
    """Closes ``direction``; raises FailedPrecondition STATE_CONFLICT where none of it is open."""
    return _change(name, state, direction, _Change.SUSPEND)


def resume(name: str, state: RegionState, direction: TrustDirection) -> RegionState:
    """Opens ``direction`` again; raises FailedPrecondition STATE_CONFLICT where all of it is open."""
    return _change(name, state, direction, _Change.RESUME)


def end(name: str, state: RegionState) -> RegionState:
    """Ends the trust for ever; raises FailedPrecondition STATE_CONFLICT where it has ended."""
    if state is RegionState.ENDED:
        raise state_conflict(name, state, RegionState.PROPOSED, *_LIVE)
    return RegionState.ENDED


def check_rekey(name: str, state: RegionState) -> None:
    """Raises FailedPrecondition STATE_CONFLICT where keys can't be set any more."""
    if state is RegionState.ENDED:
        raise state_conflict(name, state, RegionState.PROPOSED, *_LIVE)


def may_propose(state: RegionState | None) -> bool:
    """Says whether a region can be proposed whose last entry is in ``state`` (None: it has none)."""
    return state is None or state is RegionState.ENDED


def _change(name: str, state: RegionState, direction: TrustDirection, change: _Change) -> RegionState:
    if state in _OPEN:
        before = _OPEN[state]
        after = before & ~direction if change is _Change.SUSPEND else before | direction
        if after != before:
            return _BY_OPEN[after]
    raise state_conflict(name, state, *_allowed(direction, change))


def _allowed(direction: TrustDirection, change: _Change) -> list[RegionState]:
    """The states from which ``change`` would change something."""
    if change is _Change.SUSPEND:
        return [state for state in _LIVE if _OPEN[state] & direction]
    return [state for state in _LIVE if direction & ~_OPEN[state]]
