"""Closing a direction of trust, also one that somebody waits to open again."""

from datetime import date

import pytest

from libs.errors import FailedPrecondition, InvalidArgument
from services.identity.core.trust import BEGUN, OVER, ListedCode, RegionState, RegionTrust, TrustDirection, TrustState
from services.identity.regions.rules import check_kept, checked_codes, suspended

NAME = "regions/320402"
OPEN, SUSPENDED = TrustState.OPEN, TrustState.SUSPENDED
IN_SUSPENDED = RegionTrust(RegionState.ACTIVE, SUSPENDED, OPEN)
OUT_SUSPENDED = RegionTrust(RegionState.ACTIVE, OPEN, SUSPENDED)
ALL_SUSPENDED = RegionTrust(RegionState.ACTIVE, SUSPENDED, SUSPENDED)
INBOUND, OUTBOUND, BOTH = TrustDirection.INBOUND, TrustDirection.OUTBOUND, TrustDirection.BOTH


@pytest.mark.parametrize(
    ("stands", "resuming", "direction", "after"),
    [
        # Nothing waits: what is open closes.
        (BEGUN, "", INBOUND, IN_SUSPENDED),
        (OUT_SUSPENDED, "", BOTH, ALL_SUSPENDED),
        # What is closed stays so, and the wish to open it is what is refused.
        (ALL_SUSPENDED, "INBOUND", INBOUND, ALL_SUSPENDED),
        (ALL_SUSPENDED, "BOTH", OUTBOUND, ALL_SUSPENDED),
        (IN_SUSPENDED, "INBOUND", INBOUND, IN_SUSPENDED),
        # A wish for one direction doesn't keep the other, which is open, from closing.
        (IN_SUSPENDED, "INBOUND", OUTBOUND, ALL_SUSPENDED),
        (IN_SUSPENDED, "INBOUND", BOTH, ALL_SUSPENDED),
    ],
)
def test_a_direction_closes_or_the_wish_to_open_it_falls(
    stands: RegionTrust, resuming: str, direction: TrustDirection, after: RegionTrust
) -> None:
    assert suspended(NAME, stands, resuming, direction) == after


@pytest.mark.parametrize(
    ("stands", "resuming", "direction", "state", "allowed"),
    [
        (ALL_SUSPENDED, "", BOTH, "SUSPENDED", "OPEN"),
        (ALL_SUSPENDED, "OUTBOUND", INBOUND, "SUSPENDED", "OPEN"),
        (OVER, "", OUTBOUND, "ENDED", "ACTIVE"),
    ],
)
def test_what_is_closed_and_wanted_by_nobody_is_refused(
    stands: RegionTrust, resuming: str, direction: TrustDirection, state: str, allowed: str
) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        suspended(NAME, stands, resuming, direction)
    assert (refused.value.reason, refused.value.metadata) == (
        "STATE_CONFLICT",
        {"resource": NAME, "state": state, "allowed": allowed},
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


TODAY = date(2026, 1, 2)
TO_COME = ListedCode("349999", begin="2030-01-01")


def test_a_code_that_has_been_in_force_stays_listed() -> None:
    """Its days may be put right; one that is yet to come may be taken back."""
    check_kept((DEAD, NEW), (ListedCode("340221", end="2020-07-10"), NEW, TO_COME), TODAY, "codes")
    check_kept((DEAD, NEW, TO_COME), (DEAD, NEW), TODAY, "codes")
    for kept in ((NEW,), (DEAD,), ()):
        with pytest.raises(InvalidArgument) as refused:
            check_kept((DEAD, NEW), kept, TODAY, "codes")
        assert [(each.field, each.rule) for each in refused.value.violations] == [("codes", "region_codes.kept")]
