import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.identity.domain import regions
from services.identity.domain.regions import Direction, State

NAME = "regions/341500"
OPEN = {
    State.PROPOSED: Direction(0),
    State.ACTIVE: Direction.BOTH,
    State.INBOUND_SUSPENDED: Direction.OUTBOUND,
    State.OUTBOUND_SUSPENDED: Direction.INBOUND,
    State.SUSPENDED: Direction(0),
    State.ENDED: Direction(0),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("direction", [Direction.INBOUND, Direction.OUTBOUND, Direction.BOTH])
def test_a_direction_passes_only_where_the_state_opens_it(state: State, direction: Direction) -> None:
    if direction & OPEN[state] == direction:
        regions.require("341500", state, direction)
        return
    with pytest.raises(PermissionDenied) as caught:
        regions.require("341500", state, direction)
    assert (caught.value.reason, caught.value.metadata) == ("REGION_NOT_TRUSTED", {"region": "341500"})


def test_a_region_that_is_not_on_the_list_is_not_trusted() -> None:
    with pytest.raises(PermissionDenied):
        regions.require("341500", None, Direction.INBOUND)


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (State.ACTIVE, Direction.INBOUND, State.INBOUND_SUSPENDED),
        (State.ACTIVE, Direction.OUTBOUND, State.OUTBOUND_SUSPENDED),
        (State.ACTIVE, Direction.BOTH, State.SUSPENDED),
        (State.INBOUND_SUSPENDED, Direction.OUTBOUND, State.SUSPENDED),
        (State.INBOUND_SUSPENDED, Direction.BOTH, State.SUSPENDED),
        (State.OUTBOUND_SUSPENDED, Direction.INBOUND, State.SUSPENDED),
    ],
)
def test_suspending_closes_a_direction(before: State, direction: Direction, after: State) -> None:
    assert regions.suspend(NAME, before, direction) is after


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (State.SUSPENDED, Direction.INBOUND, State.OUTBOUND_SUSPENDED),
        (State.SUSPENDED, Direction.OUTBOUND, State.INBOUND_SUSPENDED),
        (State.SUSPENDED, Direction.BOTH, State.ACTIVE),
        (State.INBOUND_SUSPENDED, Direction.INBOUND, State.ACTIVE),
        (State.OUTBOUND_SUSPENDED, Direction.BOTH, State.ACTIVE),
    ],
)
def test_resuming_opens_it_again(before: State, direction: Direction, after: State) -> None:
    assert regions.resume(NAME, before, direction) is after


@pytest.mark.parametrize("state", [State.PROPOSED, State.ENDED, State.SUSPENDED])
def test_nothing_is_suspended_twice_or_outside_of_trust(state: State) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        regions.suspend(NAME, state, Direction.BOTH)
    assert caught.value.metadata == {
        "resource": NAME,
        "state": state.value,
        "allowed": "ACTIVE,INBOUND_SUSPENDED,OUTBOUND_SUSPENDED",
    }


@pytest.mark.parametrize("state", [State.PROPOSED, State.ENDED, State.ACTIVE, State.OUTBOUND_SUSPENDED])
def test_only_what_is_suspended_resumes(state: State) -> None:
    with pytest.raises(FailedPrecondition):
        regions.resume(NAME, state, Direction.INBOUND)


def test_trust_begins_once_and_ends_for_ever() -> None:
    assert regions.activate(NAME, State.PROPOSED) is State.ACTIVE
    for state in set(State) - {State.PROPOSED}:
        with pytest.raises(FailedPrecondition):
            regions.activate(NAME, state)
    for state in set(State) - {State.ENDED}:
        assert regions.end(NAME, state) is State.ENDED
        regions.check_rekey(NAME, state)
        assert not regions.may_propose(state)
    with pytest.raises(FailedPrecondition):
        regions.end(NAME, State.ENDED)
    with pytest.raises(FailedPrecondition):
        regions.check_rekey(NAME, State.ENDED)
    assert regions.may_propose(None)
    assert regions.may_propose(State.ENDED)
