"""Closing a direction of trust, also one that somebody waits to open again."""

import pytest

from libs.errors import FailedPrecondition
from services.identity.core.trust import RegionState, TrustDirection
from services.identity.regions.rules import suspended

NAME = "regions/320402"
INBOUND, OUTBOUND, BOTH = TrustDirection.INBOUND, TrustDirection.OUTBOUND, TrustDirection.BOTH


@pytest.mark.parametrize(
    ("state", "resuming", "direction", "after"),
    [
        # Nothing waits: what is open closes.
        (RegionState.ACTIVE, "", INBOUND, RegionState.INBOUND_SUSPENDED),
        (RegionState.OUTBOUND_SUSPENDED, "", BOTH, RegionState.SUSPENDED),
        # What is closed stays so, and the wish to open it is what is refused.
        (RegionState.SUSPENDED, "INBOUND", INBOUND, RegionState.SUSPENDED),
        (RegionState.SUSPENDED, "BOTH", OUTBOUND, RegionState.SUSPENDED),
        (RegionState.INBOUND_SUSPENDED, "INBOUND", INBOUND, RegionState.INBOUND_SUSPENDED),
        # A wish for one direction doesn't keep the other, which is open, from closing.
        (RegionState.INBOUND_SUSPENDED, "INBOUND", OUTBOUND, RegionState.SUSPENDED),
        (RegionState.INBOUND_SUSPENDED, "INBOUND", BOTH, RegionState.SUSPENDED),
    ],
)
def test_a_direction_closes_or_the_wish_to_open_it_falls(
    state: RegionState, resuming: str, direction: TrustDirection, after: RegionState
) -> None:
    assert suspended(NAME, state, resuming, direction) is after


@pytest.mark.parametrize(
    ("state", "resuming", "direction", "allowed"),
    [
        (RegionState.SUSPENDED, "", BOTH, "ACTIVE,INBOUND_SUSPENDED,OUTBOUND_SUSPENDED"),
        (RegionState.SUSPENDED, "OUTBOUND", INBOUND, "ACTIVE,OUTBOUND_SUSPENDED"),
        (RegionState.ENDED, "", OUTBOUND, "ACTIVE,INBOUND_SUSPENDED"),
    ],
)
def test_what_is_closed_and_wanted_by_nobody_is_refused(
    state: RegionState, resuming: str, direction: TrustDirection, allowed: str
) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        suspended(NAME, state, resuming, direction)
    assert (refused.value.reason, refused.value.metadata) == (
        "STATE_CONFLICT",
        {"resource": NAME, "state": state.value, "allowed": allowed},
    )
