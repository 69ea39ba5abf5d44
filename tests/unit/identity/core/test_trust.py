"""Trust between regions: each direction stands and falls by itself, and covers what its terms say."""

import pytest

from libs.errors import FailedPrecondition, PermissionDenied
from services.identity.core import trust
from services.identity.core.trust import RegionState, RegionTrust, TrustDirection, TrustState, TrustTerms

NAME = "regions/341500"
INBOUND, OUTBOUND, BOTH = TrustDirection.INBOUND, TrustDirection.OUTBOUND, TrustDirection.BOTH
OPEN, SUSPENDED = TrustState.OPEN, TrustState.SUSPENDED


def active(inbound: TrustState, outbound: TrustState) -> RegionTrust:
    return RegionTrust(RegionState.ACTIVE, inbound, outbound)


IN_SUSPENDED, OUT_SUSPENDED = active(SUSPENDED, OPEN), active(OPEN, SUSPENDED)
ALL_SUSPENDED = active(SUSPENDED, SUSPENDED)
PASSES = {
    trust.PROPOSED: trust.NOTHING,
    trust.BEGUN: BOTH,
    IN_SUSPENDED: OUTBOUND,
    OUT_SUSPENDED: INBOUND,
    ALL_SUSPENDED: trust.NOTHING,
    trust.OVER: trust.NOTHING,
}


@pytest.mark.parametrize("stands", PASSES)
@pytest.mark.parametrize("direction", [INBOUND, OUTBOUND, BOTH])
def test_a_direction_passes_only_where_it_is_open(stands: RegionTrust, direction: TrustDirection) -> None:
    if direction & PASSES[stands] == direction:
        trust.require("341500", stands, direction)
        return
    with pytest.raises(PermissionDenied) as caught:
        trust.require("341500", stands, direction)
    assert (caught.value.reason, caught.value.metadata) == ("REGION_NOT_TRUSTED", {"region": "341500"})


def test_a_region_that_is_not_on_the_list_is_not_trusted() -> None:
    with pytest.raises(PermissionDenied):
        trust.require("341500", None, INBOUND)


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (trust.BEGUN, INBOUND, IN_SUSPENDED),
        (trust.BEGUN, OUTBOUND, OUT_SUSPENDED),
        (trust.BEGUN, BOTH, ALL_SUSPENDED),
        (IN_SUSPENDED, OUTBOUND, ALL_SUSPENDED),
        (IN_SUSPENDED, BOTH, ALL_SUSPENDED),
        (OUT_SUSPENDED, INBOUND, ALL_SUSPENDED),
    ],
)
def test_suspending_closes_a_direction(before: RegionTrust, direction: TrustDirection, after: RegionTrust) -> None:
    assert trust.suspend(NAME, before, direction) == after


@pytest.mark.parametrize(
    ("before", "direction", "after"),
    [
        (ALL_SUSPENDED, INBOUND, OUT_SUSPENDED),
        (ALL_SUSPENDED, OUTBOUND, IN_SUSPENDED),
        (ALL_SUSPENDED, BOTH, trust.BEGUN),
        (IN_SUSPENDED, INBOUND, trust.BEGUN),
        (OUT_SUSPENDED, BOTH, trust.BEGUN),
    ],
)
def test_resuming_opens_it_again(before: RegionTrust, direction: TrustDirection, after: RegionTrust) -> None:
    assert trust.resume(NAME, before, direction) == after


@pytest.mark.parametrize(
    ("stands", "state", "allowed"),
    [
        (trust.PROPOSED, "PROPOSED", "ACTIVE"),
        (trust.OVER, "ENDED", "ACTIVE"),
        (ALL_SUSPENDED, "SUSPENDED", "OPEN"),
    ],
)
def test_nothing_is_suspended_twice_or_outside_of_trust(stands: RegionTrust, state: str, allowed: str) -> None:
    with pytest.raises(FailedPrecondition) as caught:
        trust.suspend(NAME, stands, BOTH)
    assert caught.value.metadata == {"resource": NAME, "state": state, "allowed": allowed}


@pytest.mark.parametrize("stands", [trust.PROPOSED, trust.OVER, trust.BEGUN, OUT_SUSPENDED])
def test_only_what_is_suspended_resumes(stands: RegionTrust) -> None:
    with pytest.raises(FailedPrecondition):
        trust.resume(NAME, stands, INBOUND)


def test_trust_begins_once_and_ends_for_ever() -> None:
    assert trust.activate(NAME, trust.PROPOSED) == trust.BEGUN
    for stands in PASSES.keys() - {trust.PROPOSED}:
        with pytest.raises(FailedPrecondition):
            trust.activate(NAME, stands)
    for stands in PASSES.keys() - {trust.OVER}:
        assert trust.end(NAME, stands) == trust.OVER
        trust.require_lasting(NAME, stands)
        assert not trust.may_propose(stands)
    with pytest.raises(FailedPrecondition):
        trust.end(NAME, trust.OVER)
    with pytest.raises(FailedPrecondition):
        trust.require_lasting(NAME, trust.OVER)
    assert trust.may_propose(None)
    assert trust.may_propose(trust.OVER)


PEOPLE_ONLY = TrustTerms(INBOUND, 4, min_assurance=2, actor_kinds=frozenset({"PERSON", "SERVICE"}))


@pytest.mark.parametrize(
    ("kind", "assurance", "rule"),
    [
        ("PERSON", 2, ""),
        ("PERSON", 1, "assurance"),
        ("STAFF", 4, "actor_kind"),
        # A service has no assurance of its own to be asked for.
        ("SERVICE", 0, ""),
    ],
)
def test_who_passes_is_of_a_kind_and_known_well_enough(kind: str, assurance: int, rule: str) -> None:
    if not rule:
        trust.require_covered("341500", PEOPLE_ONLY, kind, assurance)
        return
    with pytest.raises(PermissionDenied) as caught:
        trust.require_covered("341500", PEOPLE_ONLY, kind, assurance)
    told = {"region": "341500", "direction": "INBOUND", "rule": rule}
    assert (caught.value.reason, caught.value.metadata) == ("REGION_TRUST_NOT_COVERING", told)


@pytest.mark.parametrize("kind", ["PERSON", "STAFF", "SERVICE"])
def test_terms_that_say_nothing_cover_all(kind: str) -> None:
    trust.require_covered("341500", TrustTerms(OUTBOUND, 4), kind, 0)
