import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.identity.core import trust
from services.identity.core.trust import RegionState, TrustDirection

NAME = "regions/341500"
OPEN = {
    RegionState.PROPOSED: TrustDirection(0),
    RegionState.ACTIVE: TrustDirection.BOTH,
    RegionState.INBOUND_SUSPENDED: TrustDirection.OUTBOUND,
    RegionState.OUTBOUND_SUSPENDED: TrustDirection.INBOUND,
    RegionState.SUSPENDED: TrustDirection(0),
    RegionState.ENDED: TrustDirection(0),
}


@pytest.mark.parametrize("state", RegionState)
@pytest.mark.parametrize("direction", [TrustDirection.INBOUND, TrustDirection.OUTBOUND, TrustDirection.BOTH])
def test_a_direction_passes_only_where_the_state_opens_it(state: RegionState, direction: TrustDirection) -> None:
    if direction & OPEN[state] == direction:
        trust.require("341500", state, direction)
        return
    with pytest.raises(PermissionDenied) as caught:
        trust.require("341500", state, direction)
    assert (caught.value.reason, caught.value.metadata) == ("REGION_NOT_TRUSTED", {"region": "341500"})


def test_a_region_that_is_not_on_the_list_is_not_trusted() -> None:
    with pytest.raises(PermissionDenied):
        trust.require("341500", None, TrustDirection.INBOUND)


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (RegionState.ACTIVE, TrustDirection.INBOUND, RegionState.INBOUND_SUSPENDED),
        (RegionState.ACTIVE, TrustDirection.OUTBOUND, RegionState.OUTBOUND_SUSPENDED),
        (RegionState.ACTIVE, TrustDirection.BOTH, RegionState.SUSPENDED),
        (RegionState.INBOUND_SUSPENDED, TrustDirection.OUTBOUND, RegionState.SUSPENDED),
        (RegionState.INBOUND_SUSPENDED, TrustDirection.BOTH, RegionState.SUSPENDED),
        (RegionState.OUTBOUND_SUSPENDED, TrustDirection.INBOUND, RegionState.SUSPENDED),
    ],
)
def test_suspending_closes_a_direction(before: RegionState, direction: TrustDirection, after: RegionState) -> None:
    assert trust.suspend(NAME, before, direction) is after


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (RegionState.SUSPENDED, TrustDirection.INBOUND, RegionState.OUTBOUND_SUSPENDED),
        (RegionState.SUSPENDED, TrustDirection.OUTBOUND, RegionState.INBOUND_SUSPENDED),
        (RegionState.SUSPENDED, TrustDirection.BOTH, RegionState.ACTIVE),
        (RegionState.INBOUND_SUSPENDED, TrustDirection.INBOUND, RegionState.ACTIVE),
        (RegionState.OUTBOUND_SUSPENDED, TrustDirection.BOTH, RegionState.ACTIVE),
    ],
)
def test_resuming_opens_it_again(before: RegionState, direction: TrustDirection, after: RegionState) -> None:
    assert trust.resume(NAME, before, direction) is after


@pytest.mark.parametrize("state", [RegionState.PROPOSED, RegionState.ENDED, RegionState.SUSPENDED])
def test_nothing_is_suspended_twice_or_outside_of_trust(state: RegionState) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        trust.suspend(NAME, state, TrustDirection.BOTH)
    assert caught.value.metadata == {
        "resource": NAME,
        "state": state.value,
        "allowed": "ACTIVE,INBOUND_SUSPENDED,OUTBOUND_SUSPENDED",
    }


@pytest.mark.parametrize(
    "state", [RegionState.PROPOSED, RegionState.ENDED, RegionState.ACTIVE, RegionState.OUTBOUND_SUSPENDED]
)
def test_only_what_is_suspended_resumes(state: RegionState) -> None:
    with pytest.raises(FailedPrecondition):
        trust.resume(NAME, state, TrustDirection.INBOUND)


def test_trust_begins_once_and_ends_for_ever() -> None:
    assert trust.activate(NAME, RegionState.PROPOSED) is RegionState.ACTIVE
    for state in set(RegionState) - {RegionState.PROPOSED}:
        with pytest.raises(FailedPrecondition):
            trust.activate(NAME, state)
    for state in set(RegionState) - {RegionState.ENDED}:
        assert trust.end(NAME, state) is RegionState.ENDED
        trust.check_rekey(NAME, state)
        assert not trust.may_propose(state)
    with pytest.raises(FailedPrecondition):
        trust.end(NAME, RegionState.ENDED)
    with pytest.raises(FailedPrecondition):
        trust.check_rekey(NAME, RegionState.ENDED)
    assert trust.may_propose(None)
    assert trust.may_propose(RegionState.ENDED)
