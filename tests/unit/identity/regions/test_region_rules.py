"""Closing a direction of trust, also one that somebody waits to open again."""

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.identity.core.trust import ListedCode, RegionState, TrustDirection
from services.identity.regions.rules import checked_codes, suspended

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


DEAD, NEW = ListedCode("340221", end="2020-07-15"), ListedCode("340210", begin="2020-07-16")
"""芜湖县 became 湾沚区: the codes of one region."""


def test_codes_are_kept_by_their_days() -> None:
    assert checked_codes("wanzhi", (NEW, DEAD), "codes") == (DEAD, NEW)
    assert checked_codes("340221", (DEAD, NEW), "codes") == (DEAD, NEW)


def test_a_region_that_names_no_code_has_that_of_its_id_or_none() -> None:
    assert checked_codes("341500", (), "codes") == (ListedCode("341500"),)
    assert checked_codes("wanzhi", (), "codes") == ()


@pytest.mark.parametrize(
    ("codes", "rule"),
    [
        ((ListedCode("340221"), NEW), "region_codes.overlap"),
        ((DEAD, ListedCode("340210", begin="2020-07-15")), "region_codes.overlap"),
        ((ListedCode("340221", begin="2020-07-16", end="2020-07-15"),), "region_codes.period"),
    ],
)
def test_no_two_codes_hold_on_one_day(codes: tuple[ListedCode, ...], rule: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        checked_codes("wanzhi", codes, "region.codes")
    assert [(each.field, each.rule) for each in refused.value.violations] == [("region.codes", rule)]
